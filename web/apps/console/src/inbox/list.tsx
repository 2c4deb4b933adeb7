/** The left column: heading with the queue, three views, search, and the list or what stands in for it. */
import { Button } from 'antd';
import { type RefObject, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { View } from '../api/types.ts';
import { stopwatch } from '../format/time.ts';
import { Blank } from '../parts/blank.tsx';
import { Fault } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { useNow } from '../parts/now.ts';
import { linkTo, navigate } from '../router/router.ts';
import type { List as ListData, Overview } from './queries.ts';
import { Rows } from './rows.tsx';
import { RowsSkeleton } from './skeleton.tsx';

const VIEWS: readonly View[] = ['mine', 'waiting', 'all'];
const SEARCH_PAUSE_MS = 250;

interface ListProps {
  readonly view: View;
  readonly open: number | null;
  readonly list: ListData;
  readonly overview: Overview;
  readonly q: string;
  readonly onSearch: (q: string) => void;
  readonly searchInput: RefObject<HTMLInputElement | null>;
  readonly onOrder: (ids: readonly number[]) => void;
}

export function List(props: ListProps) {
  const { view, open, list, overview, q, onSearch, searchInput, onOrder } = props;
  const { t, i18n } = useTranslation();
  return (
    <section className="list" aria-label={t('inbox.heading')}>
      <header className="list-head">
        <h1>{t('inbox.heading')}</h1>
        <Queue overview={overview} />
      </header>
      <nav className="tabs" aria-label={t('view.label')}>
        {VIEWS.map((one) => (
          <a
            key={one}
            className={one === view ? 'tab tab-on' : 'tab'}
            aria-current={one === view ? 'page' : undefined}
            {...linkTo({ name: 'inbox', view: one, id: open, panel: false })}
          >
            {t(`view.${one}`)}{' '}
            <span className="tab-count">
              {overview.isLoading ? '' : overview.counts[one].toLocaleString(i18n.language)}
            </span>
          </a>
        ))}
      </nav>
      <Search q={q} onSearch={onSearch} input={searchInput} />
      {list.error !== null ? (
        <Fault error={list.error} retry={list.retry} />
      ) : list.isLoading ? (
        <RowsSkeleton />
      ) : list.rows.length === 0 ? (
        <Nothing view={view} q={q} waiting={overview.counts.waiting} onClear={() => onSearch('')} />
      ) : (
        <Rows
          key={`${view} ${q}`}
          rows={list.rows}
          view={view}
          open={open}
          hasMore={list.hasMore}
          loadMore={list.loadMore}
          onOrder={onOrder}
        />
      )}
    </section>
  );
}

function Queue({ overview }: { overview: Overview }) {
  const { t } = useTranslation();
  const now = useNow(1_000);
  const count = overview.counts.waiting;
  if (count === 0 || overview.longestSince === null) return null;
  const longest = stopwatch(now - overview.longestSince, t);
  return (
    <a className="queue" {...linkTo({ name: 'inbox', view: 'waiting', id: null, panel: false })}>
      <Icon name="clock" size={13} />
      {t('inbox.queue', { count, longest })}
    </a>
  );
}

function Search(props: {
  q: string;
  onSearch: (q: string) => void;
  input: RefObject<HTMLInputElement | null>;
}) {
  const { q, onSearch, input } = props;
  const { t } = useTranslation();
  const [text, setText] = useState(q);
  useEffect(() => {
    // Cleared from outside, by the button of an empty result.
    if (q === '') setText('');
  }, [q]);
  useEffect(() => {
    const timer = setTimeout(() => onSearch(text.trim()), text === '' ? 0 : SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, onSearch]);
  return (
    <div className="search">
      <Icon name="search" size={16} />
      <input
        ref={input}
        type="text"
        value={text}
        maxLength={100}
        placeholder={t('inbox.search')}
        aria-label={t('inbox.search')}
        enterKeyHint="search"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          if (text === '') event.currentTarget.blur();
          setText('');
        }}
      />
      {text === '' ? (
        <kbd>/</kbd>
      ) : (
        <button
          type="button"
          className="plain-button search-clear"
          aria-label={t('inbox.clear')}
          onClick={() => setText('')}
        >
          <Icon name="close" size={14} />
        </button>
      )}
    </div>
  );
}

function Nothing(props: { view: View; q: string; waiting: number; onClear: () => void }) {
  const { view, q, waiting, onClear } = props;
  const { t } = useTranslation();
  const go = (to: View) => () => navigate({ name: 'inbox', view: to, id: null, panel: false });
  if (q !== '') {
    return (
      <Blank
        icon="search"
        title={t('inbox.empty.search', { q })}
        text={t('inbox.empty.search_text')}
      >
        <Button onClick={onClear}>{t('inbox.clear')}</Button>
      </Blank>
    );
  }
  if (view === 'mine') {
    const text =
      waiting > 0 ? t('inbox.empty.mine_waiting', { count: waiting }) : t('inbox.empty.mine_text');
    return (
      <Blank icon="inbox" title={t('inbox.empty.mine')} text={text}>
        <Button
          type={waiting > 0 ? 'primary' : 'default'}
          onClick={go(waiting > 0 ? 'waiting' : 'all')}
        >
          {t(waiting > 0 ? 'inbox.empty.mine_action' : 'inbox.empty.waiting_action')}
        </Button>
      </Blank>
    );
  }
  if (view === 'waiting') {
    return (
      <Blank icon="check" title={t('inbox.empty.waiting')} text={t('inbox.empty.waiting_text')}>
        <Button onClick={go('all')}>{t('inbox.empty.waiting_action')}</Button>
      </Blank>
    );
  }
  return (
    <Blank icon="sparkle" title={t('inbox.empty.all')} text={t('inbox.empty.all_text')}>
      <Button type="primary" href="/demo/" target="_blank" rel="noopener">
        {t('inbox.empty.all_action')}
      </Button>
    </Blank>
  );
}
