/** What the bot answers from: to look up for everyone, to import for administrators. */
import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { Button, Input } from 'antd';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { importKnowledge, listKnowledge } from '../api/calls.ts';
import type { ImportResult, KnowledgeEntry } from '../api/types.ts';
import { Blank } from '../parts/blank.tsx';
import { Fault, sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { useMe } from '../signin/session.ts';
import './knowledge.css';

const PAGE = 50;
const PAUSE_MS = 250;

export function KnowledgePage() {
  const { t } = useTranslation();
  const me = useMe();
  const [text, setText] = useState('');
  const [q, setQ] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setQ(text.trim()), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const found = useInfiniteQuery({
    queryKey: ['knowledge', q],
    queryFn: ({ pageParam, signal }) =>
      listKnowledge({ q, limit: PAGE, offset: pageParam }, signal),
    initialPageParam: 0,
    getNextPageParam: (page, pages) => {
      const held = pages.reduce((sum, one) => sum + one.entries.length, 0);
      return page.entries.length > 0 && held < page.total ? held : undefined;
    },
    placeholderData: keepPreviousData,
  });
  const entries = found.data?.pages.flatMap((page) => page.entries) ?? [];
  const total = found.data?.pages.at(-1)?.total ?? 0;
  const isAdmin = me.role === 'admin';
  const importing = useImport();

  return (
    <main className="back-page">
      <div className="back-inner">
        <header className="back-head">
          <h1>{t('nav.knowledge')}</h1>
          <p>
            {t('knowledge.lead')}
            {total > 0 && ` ${t('knowledge.total', { count: total })}`}
          </p>
          {isAdmin && <ImportButton importing={importing} />}
        </header>
        {importing.data !== undefined && <Imported result={importing.data} />}
        {importing.error !== null && (
          <p className="gate-fault" role="alert">
            <Icon name="alert" size={16} />
            {sentence(importing.error, t)}
          </p>
        )}
        <Input
          allowClear
          size="large"
          value={text}
          prefix={<Icon name="search" size={16} />}
          placeholder={t('knowledge.search')}
          aria-label={t('knowledge.search')}
          onChange={(event) => setText(event.target.value)}
        />
        <div className="sheet knowledge">
          {found.error !== null && found.data === undefined ? (
            <Fault error={found.error} retry={() => void found.refetch()} />
          ) : found.isPending ? (
            <Bones />
          ) : entries.length === 0 ? (
            <Empty q={q} isAdmin={isAdmin} importing={importing} />
          ) : (
            <ul>
              {entries.map((entry) => (
                <Entry key={entry.id} entry={entry} />
              ))}
            </ul>
          )}
        </div>
        {found.hasNextPage && (
          <p className="knowledge-more">
            <Button loading={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
              {t('common.more')}
            </Button>
          </p>
        )}
      </div>
    </main>
  );
}

function useImport() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: importKnowledge,
    onSuccess: () => queries.invalidateQueries({ queryKey: ['knowledge'] }),
  });
}

type Importing = ReturnType<typeof useImport>;

function ImportButton({ importing }: { importing: Importing }) {
  const { t } = useTranslation();
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button
        type="primary"
        loading={importing.isPending}
        title={t('knowledge.import_hint')}
        onClick={() => picker.current?.click()}
      >
        {t(importing.isPending ? 'knowledge.importing' : 'knowledge.import')}
      </Button>
      <input
        ref={picker}
        type="file"
        hidden
        accept=".csv,.json,text/csv,application/json"
        aria-label={t('knowledge.import')}
        onChange={(event) => {
          const file = event.target.files?.[0];
          if (file !== undefined) importing.mutate(file);
          event.target.value = '';
        }}
      />
    </>
  );
}

function Imported({ result }: { result: ImportResult }) {
  const { t } = useTranslation();
  return (
    <div className="imported" role="status">
      <p>{t('knowledge.imported', { count: result.imported })}</p>
      {result.problems.length > 0 && (
        <>
          <p>{t('knowledge.problems', { count: result.problems.length })}</p>
          <ul>
            {result.problems.slice(0, 20).map((problem) => (
              <li key={`${problem.line} ${problem.text}`}>
                <b>{t('knowledge.line', { line: problem.line })}</b> {problem.text}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function Entry({ entry }: { entry: KnowledgeEntry }) {
  const { t } = useTranslation();
  return (
    <li>
      <details className="knowledge-entry">
        <summary>
          <span className="knowledge-question">{entry.question || entry.title}</span>
          {entry.category !== '' && <span className="knowledge-category">{entry.category}</span>}
          <span className="knowledge-answer clip">{entry.answer}</span>
          <Icon name="down" size={16} />
        </summary>
        <p className="said">{entry.answer}</p>
        {entry.alternatives.length > 0 && (
          <>
            <p className="knowledge-also">
              {t('knowledge.alternatives', { count: entry.alternatives.length })}
            </p>
            <ul className="knowledge-asked">
              {entry.alternatives.map((asked) => (
                <li key={asked}>{asked}</li>
              ))}
            </ul>
          </>
        )}
      </details>
    </li>
  );
}

function Empty(props: { q: string; isAdmin: boolean; importing: Importing }) {
  const { t } = useTranslation();
  if (props.q !== '') {
    return (
      <Blank
        icon="search"
        title={t('knowledge.none', { q: props.q })}
        text={t('knowledge.none_text')}
      />
    );
  }
  return (
    <Blank
      icon="book"
      title={t('knowledge.empty')}
      text={t(props.isAdmin ? 'knowledge.empty_admin' : 'knowledge.empty_agent')}
    >
      {props.isAdmin && <ImportButton importing={props.importing} />}
    </Blank>
  );
}

function Bones() {
  return (
    <div className="knowledge-bones" aria-hidden="true">
      {[44, 62, 50, 70, 38].map((width) => (
        <span key={width} className="bone" style={{ width: `${width}%`, height: 18 }} />
      ))}
    </div>
  );
}
