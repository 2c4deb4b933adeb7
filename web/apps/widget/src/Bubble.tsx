/** One line of the conversation. Rule: what people wrote becomes text nodes, never markup. */

import { type Body, EntryType } from '@qingniao/protocol/frames';
import { type Child, h } from './h.ts';
import { Bird, Icon } from './icons.tsx';
import { pieces } from './links.ts';
import type { Scene } from './scene.ts';
import { asMap, citesOf, type Line, wordsOf } from './timeline.ts';

export function Text({ text }: { text: string }): Child {
  return pieces(text).map(({ text: part, href }) =>
    href ? (
      <a href={href} target="_blank" rel="noopener noreferrer">
        {part}
      </a>
    ) : (
      part
    ),
  );
}

function Cites({ body, copy }: { body: Body; copy: Scene['copy'] }) {
  const cites = citesOf(body);
  return (
    cites.length > 0 && (
      <div class="cites">
        {cites.map(({ title, quote }) => (
          <details>
            <summary>
              <Icon name="file" />
              <span class="hidden">{copy.sources}: </span>
              {title}
            </summary>
            <blockquote>{quote}</blockquote>
          </details>
        ))}
      </div>
    )
  );
}

function Attached({ body, server }: { body: Body; server: string }) {
  const { id, name, size, mime, w, h: height } = asMap(body);
  const href = `${server}/files/${encodeURIComponent(`${id}`)}`;
  const isImage = `${mime}`.startsWith('image/');
  return (
    <a class={isImage ? 'picture' : 'file'} href={href} target="_blank" rel="noopener noreferrer">
      {isImage && (
        <img
          src={href}
          alt={`${name}`}
          width={Number(w) || undefined}
          height={Number(height) || undefined}
          // A host page's CSP may forbid our images: then it is a file like any other.
          onError={(event) => event.currentTarget.closest('a')?.setAttribute('class', 'file')}
        />
      )}
      <Icon name="file" />
      <span>
        {`${name}`}
        <small>{sizeText(Number(size))}</small>
      </span>
    </a>
  );
}

export function sizeText(bytes: number): string {
  return bytes < 1_048_576
    ? `${Math.max(1, Math.round(bytes / 1024))} KB`
    : `${(bytes / 1_048_576).toFixed(1)} MB`;
}

function Content({ line, server }: { line: { type: number; body: Body }; server: string }): Child {
  const { type, body } = line;
  return type === EntryType.FILE ? (
    <Attached body={body} server={server} />
  ) : (
    <Text text={wordsOf(body)} />
  );
}

interface Props<K> {
  readonly scene: Scene;
  readonly line: Extract<Line, { kind: K }>;
}

/** Scores, the better one first. */
const THUMBS = [5, 1];

export function Theirs({ line, scene: { chat, copy, settings } }: Props<'theirs'>) {
  const { seq = 0, thumb } = line;
  return (
    <div class={`line theirs ${line.who}`}>
      {line.isFirst && (
        <div class="who">
          {line.who === 'bot' ? <Bird /> : <Icon name="person" />}
          {line.name}
        </div>
      )}
      <div
        class={line.isDraft ? 'bubble draft' : 'bubble'}
        aria-live={line.isDraft ? 'off' : undefined}
      >
        <Content line={line} server={settings.server} />
        {asMap(line.body).partial === true && <p class="partial">{copy.partial}</p>}
        <Cites body={line.body} copy={copy} />
      </div>
      {thumb !== undefined && (
        <div>
          {THUMBS.map((score) => (
            <button
              type="button"
              aria-label={score > 1 ? copy.good : copy.bad}
              aria-pressed={`${thumb === score}`}
              onClick={() => chat.rate({ score: thumb === score ? 0 : score, of: seq })}
            >
              <Icon name="thumb" />
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

export function Mine({ line, scene, isLast }: Props<'mine'> & { isLast: boolean }) {
  const { chat, copy, settings } = scene;
  const { state, key } = line;
  const reason = copy.reasons[line.code];
  const mark = { waiting: copy.queued, sent: copy.sending, read: copy.read, stored: '' };
  return (
    <div class={`line mine ${state}`}>
      <div class="bubble">
        <span class="hidden">{copy.you}: </span>
        <Content line={line} server={settings.server} />
      </div>
      {state === 'failed' ? (
        <p class="failed" role="alert">
          {copy.failed}
          {reason && ` · ${reason}`}
          <button type="button" onClick={() => chat.retry(key)}>
            {copy.retry}
          </button>
          <button type="button" onClick={() => chat.discard(key)}>
            {copy.remove}
          </button>
        </p>
      ) : (
        isLast && mark[state] && <p class="mark">{mark[state]}</p>
      )}
    </div>
  );
}
