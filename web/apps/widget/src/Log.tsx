/** The messages, from the greeting to what is being asked of the visitor now. */

import { hasOlder } from '@qingniao/client/conversation';
import { Mine, Text, Theirs } from './Bubble.tsx';
import { Queue, Rating } from './cards.tsx';
import { type Child, h } from './h.ts';
import { Bird, Icon } from './icons.tsx';
import type { Scene } from './scene.ts';
import { timeText } from './time.ts';
import type { Line } from './timeline.ts';

export function Log({ scene }: { scene: Scene }) {
  const { chat, now, copy, settings } = scene;
  const { lines, view, site } = now;
  const { locale } = settings;
  const lastMine = lines.lines.findLast((line) => line.kind === 'mine');
  const greeting = site?.greeting[locale];
  const choices = lines.isEmpty ? (site?.quick[locale] ?? []) : lines.options;

  const show = (line: Line): Child => {
    const { kind, key } = line;
    if (kind === 'mine') {
      return <Mine key={key} line={line} scene={scene} isLast={line === lastMine} />;
    }
    if (kind === 'theirs') return <Theirs key={key} line={line} scene={scene} />;
    const text = kind === 'time' ? timeText(line.time, Date.now(), locale, copy) : line.text;
    return (
      <p class="quiet" key={key}>
        {text}
      </p>
    );
  };

  return (
    <div class="middle">
      <div
        class="log"
        ref={scene.log}
        onScroll={scene.onScroll}
        role="log"
        aria-label={copy.log}
        // A region that scrolls must be reachable by key.
        tabIndex={0}
      >
        <div class="content" ref={scene.content}>
          {view.isPaging && <p class="quiet">{copy.older}</p>}
          {!site && lines.isEmpty && (
            <div class="skeleton" aria-hidden="true">
              <i />
              <i />
              <i />
            </div>
          )}
          {greeting && !hasOlder(view) && (
            <div class="line theirs bot">
              <div class="who">
                <Bird />
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
          {now.isReady && choices.length > 0 && (
            <div class="choices">
              {choices.map((choice) => (
                <button type="button" onClick={() => chat.say(choice)}>
                  {choice}
                </button>
              ))}
            </div>
          )}
          {view.state.status === 'waiting' && <Queue queue={view.state.queue} copy={copy} />}
          {lines.asksRating && <Rating scene={scene} />}
        </div>
      </div>
      {scene.missed > 0 && (
        <button type="button" class="pill" onClick={scene.toBottom}>
          <Icon name="down" />
          {copy.newMessages(scene.missed)}
        </button>
      )}
    </div>
  );
}
