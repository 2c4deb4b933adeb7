/** The middle column: header, transcript, composer. Owns dropping files and whether the visitor can be answered. */
import type { InboxItem } from '@qingniao/client/inbox';
import { useQuery } from '@tanstack/react-query';
import { Button } from 'antd';
import { type DragEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { getConversation } from '../api/calls.ts';
import { ApiError } from '../api/http.ts';
import type { View } from '../api/types.ts';
import { useActions } from '../live/actions.ts';
import { useLive, useRows, useView } from '../live/context.tsx';
import { Blank } from '../parts/blank.tsx';
import { Fault } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { navigate } from '../router/router.ts';
import { Composer, useComposerUploads } from './composer.tsx';
import { Header } from './header.tsx';
import { Transcript } from './transcript.tsx';

/** A conversation and its visitor, fetched once it is opened; the row then lives on by states. */
export function useConversation(id: number) {
  const { rows } = useLive();
  return useQuery({
    queryKey: ['conversation', id],
    queryFn: async ({ signal }) => {
      const mark = rows.mark();
      const answer = await getConversation(id, signal);
      rows.seed([answer.conversation], mark);
      return answer;
    },
    staleTime: 10_000,
  });
}

export function Chat({ id, view: list }: { id: number; view: View }) {
  const { t } = useTranslation();
  const { me } = useLive();
  const view = useView(id);
  const row = useRows().get(id);
  const fetched = useConversation(id);
  const uploads = useComposerUploads();
  const [isOver, setOver] = useState(false);
  const known = row !== undefined && row.visitor.id !== '' ? row : undefined;
  const isMine = known?.status === 'open' && known.assignee?.id === me.id;

  if (fetched.error instanceof ApiError && [403, 404].includes(fetched.error.status)) {
    return (
      <section className="chat" aria-label={t('chat.label')}>
        <Blank
          icon="alert"
          tone="fault"
          title={t('chat.not_found')}
          text={t('chat.not_found_text')}
        >
          <Button onClick={() => navigate({ name: 'inbox', view: list, id: null, panel: false })}>
            {t('chat.not_found_action')}
          </Button>
        </Blank>
      </section>
    );
  }

  if (fetched.error !== null && known === undefined) {
    return (
      <section className="chat" aria-label={t('chat.label')}>
        <Fault error={fetched.error} retry={() => void fetched.refetch()} />
      </section>
    );
  }

  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (isMine) uploads.add([...event.dataTransfer.files]);
  };
  const carriesFiles = (event: DragEvent) => isMine && event.dataTransfer.types.includes('Files');

  return (
    <section
      className="chat"
      aria-label={t('chat.label')}
      onDragOver={(event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={drop}
    >
      <Header id={id} view={list} row={known} me={me.id} />
      {/* Looking into a colleague's conversation must not clear their unread count. */}
      <Transcript view={view} maySee={known !== undefined && (isMine || known.status !== 'open')} />
      {known !== undefined && (
        <Composer id={id} uploads={uploads} closed={isMine ? null : <Closed row={known} />} />
      )}
      {isOver && (
        <div className="drop" aria-hidden="true">
          <Icon name="upload" size={28} />
          {t('composer.drop')}
        </div>
      )}
    </section>
  );
}

/** Why the agent cannot write to the visitor, and the one button that changes it. */
function Closed({ row }: { row: InboxItem }) {
  const { t } = useTranslation();
  const actions = useActions();
  const name = row.assignee?.name ?? t('chat.sender.colleague');
  const reason =
    row.status === 'open' ? t('composer.other', { name }) : t(`composer.${row.status}`);
  return (
    <>
      <p>{reason}</p>
      <Button type="primary" onClick={() => actions.take(row.id)}>
        {t(row.status === 'closed' ? 'composer.reopen' : 'chat.take')}
      </Button>
    </>
  );
}
