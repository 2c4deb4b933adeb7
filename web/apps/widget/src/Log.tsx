/**
 * The messages. Owns the scroll position: at the bottom it stays at the bottom, anywhere else it
 * stays where the reader is, and a pill says that there is more.
 */

import { firstSeq, hasOlder } from '@qingniao/client/conversation';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Mine, Text, Theirs } from './Bubble.tsx';
import type { Chat, Snapshot } from './chat.ts';
import type { Copy, Locale } from './contract.ts';
import { Icon } from './icons.tsx';
import { Queue } from './Queue.tsx';
import { Rating } from './Rating.tsx';
import { timeText } from './time.ts';
import type { Line } from './timeline.ts';

interface Props {
  readonly chat: Chat;
  readonly now: Snapshot;
  readonly copy: Copy;
  readonly locale: Locale;
  readonly server: string;
  /** Is the panel open and the page in view? */
  readonly isWatched: boolean;
}

const NEAR_BOTTOM = 60;
const NEAR_TOP = 40;

export function Log({ chat, now, copy, locale, server, isWatched }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const held = useRef({ first: 0, height: 0, mine: '', heard: 0 });
  const isPinned = useRef(true);
  const [missed, setMissed] = useState(0);
  const { lines, view, site } = now;
  const lastMine = lines.lines.findLast((line) => line.kind === 'mine')?.key ?? '';
  const heard = lines.heard.at(-1) ?? 0;

  const toBottom = (): void => {
    isPinned.current = true;
    setMissed(0);
    const element = box.current;
    if (element) element.scrollTop = element.scrollHeight;
  };

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const before = held.current;
    const first = firstSeq(view);
    const isOwn = lastMine !== before.mine && lines.lines.at(-1)?.kind === 'mine';
    if (isOwn || isPinned.current) toBottom();
    else if (first < before.first) element.scrollTop += element.scrollHeight - before.height;
    else if (heard > before.heard) {
      setMissed((count) => count + lines.heard.filter((seq) => seq > before.heard).length);
    }
    held.current = { first, height: element.scrollHeight, mine: lastMine, heard };
    if (isWatched && isPinned.current && now.unread > 0) chat.seen();
  });

  const onScroll = (): void => {
    const element = box.current;
    if (!element) return;
    const rest = element.scrollHeight - element.scrollTop - element.clientHeight;
    isPinned.current = rest < NEAR_BOTTOM;
    if (isPinned.current) {
      setMissed(0);
      if (isWatched && now.unread > 0) chat.seen();
    }
    if (element.scrollTop < NEAR_TOP) chat.older();
  };

  const show = (line: Line): ComponentChildren => {
    switch (line.kind) {
      case 'time':
        return (
          <p class="quiet" key={line.key}>
            {timeText(line.time, Date.now(), locale, copy)}
          </p>
        );
      case 'status':
        return (
          <p class="quiet" key={line.key}>
            {line.text}
          </p>
        );
      case 'mine':
        return (
          <Mine
            key={line.key}
            line={line}
            copy={copy}
            server={server}
            isLast={line.key === lastMine}
            retry={chat.retry}
            discard={chat.discard}
          />
        );
      case 'theirs':
        return <Theirs key={line.key} line={line} copy={copy} server={server} />;
    }
  };

  const greeting = site?.greeting[locale];
  const choices = lines.isEmpty ? (site?.quick[locale] ?? []) : lines.options;
  return (
    <div class="middle">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by key */}
      <div class="log" ref={box} onScroll={onScroll} role="log" aria-label={copy.log} tabIndex={0}>
        {view.isPaging && <p class="quiet">{copy.older}</p>}
        {!site && lines.isEmpty && <Skeleton />}
        {greeting && !hasOlder(view) && (
          <div class="line theirs bot">
            <div class="who">
              <Icon name="bird" />
              {copy.bot}
            </div>
            <div class="bubble">
              <Text text={greeting} />
            </div>
          </div>
        )}
        {lines.lines.map(show)}
        {lines.isTyping && (
          <div class="line theirs">
            <div class="bubble dots" role="img" aria-label={copy.typing}>
              <i />
              <i />
              <i />
            </div>
          </div>
        )}
        {choices.length > 0 && (
          <div class="choices">
            {choices.map((choice) => (
              <button type="button" key={choice} onClick={() => chat.say(choice)}>
                {choice}
              </button>
            ))}
          </div>
        )}
        {view.state.status === 'waiting' && <Queue queue={view.state.queue} copy={copy} />}
        {lines.asksRating && <Rating copy={copy} rate={chat.rate} />}
      </div>
      {missed > 0 && (
        <button type="button" class="pill" onClick={toBottom}>
          <Icon name="down" />
          {copy.newMessages(missed)}
        </button>
      )}
    </div>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" aria-hidden="true">
      <i />
      <i />
      <i />
    </div>
  );
}
