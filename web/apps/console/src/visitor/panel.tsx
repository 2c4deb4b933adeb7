/** Who the visitor is, as far as we know, to be corrected in place; what they look at, and since when. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { changeVisitor } from '../api/calls.ts';
import type { Conversation, Visitor, VisitorChange } from '../api/types.ts';
import { useConversation } from '../chat/chat.tsx';
import { visitorName } from '../format/names.ts';
import { moment } from '../format/time.ts';
import { useLive, useRows } from '../live/context.tsx';
import { Avatar } from '../parts/avatar.tsx';
import { Fault, sentence } from '../parts/fault.tsx';
import { useNow } from '../parts/now.ts';
import { toast } from '../parts/toast.tsx';
import { browserName, languageName, pageName } from './describe.ts';
import { EditableField } from './editable.tsx';
import { Tags } from './tags.tsx';

export function Panel({ id }: { id: number }) {
  const { t } = useTranslation();
  return (
    <aside className="panel" aria-label={t('visitor.label')}>
      <PanelContent id={id} />
    </aside>
  );
}

export function PanelContent({ id }: { id: number }) {
  const fetched = useConversation(id);
  const row = useRows().get(id);
  if (fetched.data === undefined) {
    if (fetched.error !== null)
      return <Fault error={fetched.error} retry={() => void fetched.refetch()} />;
    return <PanelSkeleton />;
  }
  const { visitor, conversation } = fetched.data;
  return <Details visitor={visitor} conversation={row ?? conversation} />;
}

function useSave(id: number, visitor: Visitor) {
  const queries = useQueryClient();
  const { rows } = useLive();
  const { t } = useTranslation();
  const keep = (next: Visitor) => {
    queries.setQueryData<{ conversation: Conversation; visitor: Visitor }>(
      ['conversation', id],
      (held) => (held === undefined ? held : { ...held, visitor: next }),
    );
    rows.apply(id, { visitor: { id: next.id, name: next.name } });
  };
  return useMutation({
    mutationFn: (change: VisitorChange) => changeVisitor(visitor.id, change),
    onMutate: (change) => keep({ ...visitor, ...change }),
    onSuccess: keep,
    onError: (cause) => {
      keep(visitor);
      toast({ text: t('visitor.save_failed', { why: sentence(cause, t) }), tone: 'fault' });
    },
  });
}

const FIELDS = [
  { name: 'phone', type: 'tel', max: 40 },
  { name: 'email', type: 'email', max: 200 },
] as const;

function Details({ visitor, conversation }: { visitor: Visitor; conversation: Conversation }) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const save = useSave(conversation.id, visitor);
  const name = visitorName(visitor, t);
  const { online } = conversation;
  return (
    <>
      <h2 className="hidden-text">{t('visitor.label')}</h2>
      <header className="panel-head">
        <Avatar id={visitor.id} name={name} size={48} online={online} />
        <div className="panel-who">
          <EditableField
            label={t('visitor.name')}
            value={visitor.name}
            shown={name}
            maxLength={80}
            onSave={(value) => save.mutate({ name: value })}
            isTitle
          />
          <p className="panel-sub">
            {t(online ? 'visitor.online' : 'visitor.away')}
            {conversation.session > 1 &&
              ` · ${t('visitor.visits', { count: conversation.session })}`}
          </p>
        </div>
      </header>
      <Tags tags={visitor.tags} onSave={(tags) => save.mutate({ tags })} />
      <section className="panel-part">
        <h3>{t('visitor.details')}</h3>
        <dl className="facts">
          {FIELDS.map((field) => (
            <div key={field.name}>
              <dt>{t(`visitor.${field.name}`)}</dt>
              <dd>
                <EditableField
                  label={t(`visitor.${field.name}`)}
                  type={field.type}
                  value={visitor[field.name]}
                  maxLength={field.max}
                  onSave={(value) => save.mutate({ [field.name]: value })}
                />
              </dd>
            </div>
          ))}
          <div>
            <dt>{t('visitor.note')}</dt>
            <dd>
              <EditableField
                label={t('visitor.note')}
                value={visitor.note}
                maxLength={2_000}
                onSave={(value) => save.mutate({ note: value })}
                isLong
              />
            </dd>
          </div>
        </dl>
      </section>
      <section className="panel-part">
        <h3>{t(online ? 'visitor.browsing' : 'visitor.browsed')}</h3>
        <PageLine visitor={visitor} isNow={online} />
      </section>
      <section className="panel-part">
        <h3>{t('visitor.visit')}</h3>
        <dl className="facts">
          {visitor.referrer !== '' && (
            <Fact name={t('visitor.from')} value={pageName(visitor.referrer, '')} />
          )}
          <Fact name={t('visitor.browser')} value={browserName(visitor.browser)} />
          <Fact name={t('visitor.language')} value={languageName(visitor.locale, i18n.language)} />
          <Fact
            name={t('visitor.first_seen')}
            value={moment(visitor.first_seen, now, t, i18n.language)}
          />
          <Fact
            name={t('visitor.last_seen')}
            value={moment(visitor.last_seen, now, t, i18n.language)}
          />
        </dl>
      </section>
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  if (value === '') return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function PageLine({ visitor, isNow }: { visitor: Visitor; isNow: boolean }) {
  const { t } = useTranslation();
  if (visitor.page === '') return <p className="panel-sub">{t('visitor.page_none')}</p>;
  const isAddress = /^https?:\/\//.test(visitor.page);
  const name = pageName(visitor.page, visitor.title);
  return (
    <p className={isNow ? 'page page-now' : 'page'}>
      {isAddress ? (
        <a
          href={visitor.page}
          target="_blank"
          rel="noopener noreferrer nofollow"
          title={visitor.page}
        >
          {name}
        </a>
      ) : (
        name
      )}
    </p>
  );
}

function PanelSkeleton() {
  return (
    <div className="panel-bones" aria-hidden="true">
      <span className="bone" style={{ width: 48, height: 48, borderRadius: 24 }} />
      {[70, 90, 60, 80, 50].map((width) => (
        <span key={width} className="bone" style={{ width: `${width}%`, height: 16 }} />
      ))}
    </div>
  );
}
