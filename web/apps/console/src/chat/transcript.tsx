/** Everything that was said, with what is being said right now below it. */
import {
  firstSeq,
  hasHole,
  hasOlder,
  lastSeq,
  type Conversation as View,
} from '@qingniao/client/conversation';
import { Button } from 'antd';
import { useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { dayLine } from '../format/time.ts';
import { TranscriptSkeleton } from '../inbox/skeleton.tsx';
import { useLive } from '../live/context.tsx';
import { Blank } from '../parts/blank.tsx';
import { Icon } from '../parts/icon.tsx';
import { useNow } from '../parts/now.ts';
import { DraftCard } from './answer.tsx';
import { arrange, countNew, type Piece } from './arrange.ts';
import { EntryPiece } from './entry.tsx';
import { PendingPiece } from './pending.tsx';
import { useScroll } from './scroll.ts';
import { Steps } from './steps.tsx';
import { storyOf } from './story.ts';

/** `maySee`: looking at it counts as having read it. */
export function Transcript({ view, maySee }: { view: View; maySee: boolean }) {
  const { t, i18n } = useTranslation();
  const { client, me } = useLive();
  const own = `a${me.id}`;
  const isKnown = view.state.from !== undefined;
  const isReady = isKnown && (view.entries.length > 0 || (view.state.last ?? 0) === 0);
  const scroll = useScroll(firstSeq(view), () => client.history(view.id));
  const pieces = useMemo(() => arrange(view.entries, view.pending), [view.entries, view.pending]);
  const story = useMemo(() => storyOf(view.entries), [view.entries]);
  const now = useNow(60_000);
  const last = lastSeq(view);
  const seen = useSeen(view.id, last, scroll.isAtEnd, maySee);
  const fresh = scroll.isAtEnd ? 0 : countNew(view.entries, seen, own);
  useJumpOnSend(view, scroll.toEnd);

  const show = (piece: Piece) => {
    switch (piece.kind) {
      case 'day':
        return (
          <p key={piece.key} className="day">
            <span>{dayLine(piece.time, now, t, i18n.language)}</span>
          </p>
        );
      case 'steps':
        return <Steps key={piece.key} entries={piece.entries} />;
      case 'pending':
        return <PendingPiece key={piece.key} id={view.id} pending={piece.pending} />;
      case 'entry':
        return (
          <EntryPiece
            key={piece.key}
            entry={piece.entry}
            ends={piece.ends}
            me={own}
            readSeq={view.state.read?.v ?? 0}
            story={story}
          />
        );
    }
  };

  return (
    <div className="transcript-frame">
      <div
        ref={scroll.box}
        className="transcript"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        role="log"
        aria-label={t('chat.label')}
      >
        <div ref={scroll.content} className="transcript-inner">
          {!isReady ? (
            <TranscriptSkeleton />
          ) : pieces.length === 0 ? (
            <Blank icon="inbox" title={t('chat.empty')} />
          ) : (
            <>
              <Top view={view} />
              {pieces.map(show)}
            </>
          )}
          {hasHole(view) && <p className="line">{t('chat.gap')}</p>}
          {[...view.drafts].map(([draft, text]) => (
            <DraftCard key={draft} text={text} />
          ))}
          <TypingLine view={view} />
        </div>
      </div>
      {!scroll.isAtEnd && isReady && (
        <button
          type="button"
          className={fresh > 0 ? 'pill pill-new' : 'pill'}
          onClick={scroll.toEnd}
        >
          <Icon name="down" size={14} />
          {fresh > 0 ? t('chat.new', { count: fresh }) : t('chat.latest')}
        </button>
      )}
    </div>
  );
}

function Top({ view }: { view: View }) {
  const { t } = useTranslation();
  const { client } = useLive();
  if (!hasOlder(view)) return <p className="line line-start">{t('chat.beginning')}</p>;
  return (
    <div className="older">
      {view.isPaging ? (
        <span className="bone" style={{ width: 160, height: 14 }}>
          <span className="hidden-text">{t('common.loading')}</span>
        </span>
      ) : (
        <Button size="small" type="text" onClick={() => client.history(view.id)}>
          {t('chat.older')}
        </Button>
      )}
    </div>
  );
}

function TypingLine({ view }: { view: View }) {
  const { t } = useTranslation();
  if (view.typing === null || view.typing.sender !== 'v') return null;
  return (
    <div className="said-row said-them said-ends">
      <div className="bubble bubble-them bubble-typing">
        <span className="hidden-text">{t('chat.typing')}</span>
        {view.typing.preview !== '' && <span className="said">{view.typing.preview}</span>}
        <span className="typing-dots" aria-hidden="true">
          <i />
          <i />
          <i />
        </span>
      </div>
    </div>
  );
}

/** Tells the server what has been seen, and remembers up to where it was. */
function useSeen(id: number, last: number, isAtEnd: boolean, maySee: boolean): number {
  const { client, rows } = useLive();
  const seen = useRef(last);
  useEffect(() => {
    const look = () => {
      if (!isAtEnd || last === 0) return;
      seen.current = last;
      if (!maySee || !document.hasFocus()) return;
      client.read(id, last);
      const read = rows.current().get(id)?.read;
      if (read !== undefined && read.a < last) rows.apply(id, { read: { ...read, a: last } });
    };
    look();
    window.addEventListener('focus', look);
    return () => window.removeEventListener('focus', look);
  }, [client, rows, id, last, isAtEnd, maySee]);
  return seen.current;
}

/** What I say brings me to the end, wherever I was reading. */
function useJumpOnSend(view: View, toEnd: () => void): void {
  const newest = view.pending.at(-1)?.key;
  useEffect(() => {
    if (newest !== undefined) toEnd();
  }, [newest, toEnd]);
}
