/**
 * The list itself: only the rows on screen are in the page, whether there are ten or ten thousand. Owns scrolling, the
 * hold on the order while somebody points at it, and asking for the next page.
 */
import type { InboxItem } from '@qingniao/client/inbox';
import { type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { View } from '../api/types.ts';
import { useLive } from '../live/context.tsx';
import { useNow } from '../parts/now.ts';
import { order, visible } from './order.ts';
import { Row } from './row.tsx';

const ROW_HEIGHT = 88;
/** A pointer that has not moved for this long no longer holds the list. */
const HOLD_MS = 6_000;

interface RowsProps {
  readonly rows: readonly InboxItem[];
  readonly view: View;
  readonly open: number | null;
  readonly hasMore: boolean;
  readonly loadMore: () => void;
  /** The order on screen, for j and k. */
  readonly onOrder: (ids: readonly number[]) => void;
}

export function Rows({ rows, view, open, hasMore, loadMore, onOrder }: RowsProps) {
  const { t } = useTranslation();
  const { me } = useLive();
  const now = useNow(rows.some((row) => row.status === 'waiting') ? 1_000 : 20_000);
  const scroller = useRef<HTMLDivElement>(null);
  const port = useViewport(scroller);
  const pointer = usePointer(scroller);
  const shown = useRef<readonly number[]>([]);

  const byId = useMemo(() => new Map(rows.map((row) => [row.id, row])), [rows]);
  const { rows: live } = useLive();
  const next = order(
    shown.current,
    rows.map((row) => row.id),
    pointer.isHeld || port.top > 0,
  );
  useLayoutEffect(() => {
    shown.current = next.ids;
    onOrder(next.ids);
  });

  const { start, end } = visible(next.ids.length, ROW_HEIGHT, port.top, port.height);
  const isNearEnd = end >= next.ids.length - 2;
  useEffect(() => {
    if (isNearEnd && hasMore) loadMore();
  }, [isNearEnd, hasMore, loadMore]);

  useEffect(() => {
    const at = open === null ? -1 : shown.current.indexOf(open);
    const box = scroller.current;
    if (at < 0 || box === null) return;
    const top = at * ROW_HEIGHT;
    if (top < box.scrollTop) box.scrollTo({ top });
    else if (top + ROW_HEIGHT > box.scrollTop + box.clientHeight) {
      box.scrollTo({ top: top + ROW_HEIGHT - box.clientHeight });
    }
  }, [open]);

  const letGo = () => {
    pointer.letGo();
    shown.current = [];
    scroller.current?.scrollTo({ top: 0 });
  };

  return (
    <div className="rows-frame">
      {next.waiting > 0 && (
        <button type="button" className="rows-new" onClick={letGo}>
          ↑ {t('inbox.held', { count: next.waiting })}
        </button>
      )}
      <div ref={scroller} className="rows">
        <ul
          aria-label={t('inbox.list')}
          style={{ height: next.ids.length * ROW_HEIGHT }}
          className="rows-all"
        >
          {next.ids.slice(start, end).map((id, offset) => {
            const row = byId.get(id) ?? live.current().get(id);
            if (row === undefined) return null;
            return (
              <Row
                key={id}
                row={row}
                view={view}
                me={me.id}
                now={now}
                isOpen={id === open}
                top={(start + offset) * ROW_HEIGHT}
                position={start + offset + 1}
                size={hasMore ? -1 : next.ids.length}
              />
            );
          })}
        </ul>
      </div>
    </div>
  );
}

function useViewport(scroller: RefObject<HTMLDivElement | null>): { top: number; height: number } {
  const [port, setPort] = useState({ top: 0, height: 900 });
  useLayoutEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    const measure = () => setPort({ top: box.scrollTop, height: box.clientHeight });
    measure();
    box.addEventListener('scroll', measure, { passive: true });
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => {
      box.removeEventListener('scroll', measure);
      observer.disconnect();
    };
  }, [scroller]);
  return port;
}

/** Whether a mouse rests on the list. A finger does not hold: it scrolls. */
function usePointer(scroller: RefObject<HTMLDivElement | null>): {
  isHeld: boolean;
  letGo: () => void;
} {
  const [isHeld, setHeld] = useState(false);
  useEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const free = () => {
      clearTimeout(timer);
      setHeld(false);
    };
    const hold = (event: PointerEvent) => {
      if (event.pointerType !== 'mouse') return;
      clearTimeout(timer);
      timer = setTimeout(free, HOLD_MS);
      setHeld(true);
    };
    box.addEventListener('pointermove', hold, { passive: true });
    box.addEventListener('pointerleave', free);
    return () => {
      free();
      box.removeEventListener('pointermove', hold);
      box.removeEventListener('pointerleave', free);
    };
  }, [scroller]);
  return { isHeld, letGo: () => setHeld(false) };
}
