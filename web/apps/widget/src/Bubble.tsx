/** One line of the conversation. Rule: what people wrote becomes text nodes, never markup. */

import { type Body, EntryType } from '@qingniao/protocol/frames';
import { useState } from 'preact/hooks';
import type { Copy } from './contract.ts';
import { Icon } from './icons.tsx';
import { pieces } from './links.ts';
import { asMap, type Cite, citesOf, type Line, wordsOf } from './timeline.ts';

interface Shared {
  readonly copy: Copy;
  readonly server: string;
}

export function Text({ text }: { text: string }) {
  return (
    <>
      {pieces(text).map(({ text: part, href }) =>
        href ? (
          <a href={href} target="_blank" rel="noopener noreferrer nofollow">
            {part}
          </a>
        ) : (
          part
        ),
      )}
    </>
  );
}

function Cites({ cites, copy }: { cites: readonly Cite[]; copy: Copy }) {
  return (
    <div class="cites">
      {cites.map(({ title, quote }) =>
        quote ? (
          <details>
            <summary>
              <Icon name="file" />
              <span class="hidden">{copy.sources}: </span>
              {title}
            </summary>
            <blockquote>{quote}</blockquote>
          </details>
        ) : (
          <span class="cite">
            <Icon name="file" />
            {title}
          </span>
        ),
      )}
    </div>
  );
}

function Attached({ body, server }: { body: Body; server: string }) {
  const { id, name, size, mime, w, h } = asMap(body);
  const href = `${server}/files/${encodeURIComponent(String(id))}`;
  // A host page's CSP may forbid our images: then it is a file like any other.
  const [isImage, setImage] = useState(String(mime).startsWith('image/'));
  return (
    <a class={isImage ? 'picture' : 'file'} href={href} target="_blank" rel="noopener noreferrer">
      {isImage ? (
        <img
          src={href}
          alt={String(name)}
          width={Number(w) || undefined}
          height={Number(h) || undefined}
          loading="lazy"
          onError={() => setImage(false)}
        />
      ) : (
        <>
          <Icon name="file" />
          <span>
            {String(name)}
            <small>{sizeText(Number(size))}</small>
          </span>
        </>
      )}
    </a>
  );
}

export function sizeText(bytes: number): string {
  if (!(bytes >= 0)) return '';
  return bytes < 1_048_576
    ? `${Math.max(1, Math.round(bytes / 1024))} KB`
    : `${(bytes / 1_048_576).toFixed(1)} MB`;
}

function Content({ type, body, server }: { type: number; body: Body; server: string }) {
  return type === EntryType.FILE ? (
    <Attached body={body} server={server} />
  ) : (
    <Text text={wordsOf(body)} />
  );
}

export function Theirs({
  line,
  copy,
  server,
}: Shared & { line: Extract<Line, { kind: 'theirs' }> }) {
  const cites = citesOf(line.body);
  return (
    <div class={`line theirs ${line.who}`}>
      {line.isFirst && (
        <div class="who">
          <Icon name={line.who === 'bot' ? 'bird' : 'person'} />
          {line.name}
        </div>
      )}
      <div
        class={`bubble ${line.isDraft ? 'draft' : ''}`}
        aria-live={line.isDraft ? 'off' : undefined}
      >
        <Content type={line.type} body={line.body} server={server} />
        {asMap(line.body).partial === true && <p class="partial">{copy.partial}</p>}
        {cites.length > 0 && <Cites cites={cites} copy={copy} />}
      </div>
    </div>
  );
}

export function Mine({
  line,
  copy,
  server,
  isLast,
  retry,
  discard,
}: Shared & {
  line: Extract<Line, { kind: 'mine' }>;
  isLast: boolean;
  retry(key: string): void;
  discard(key: string): void;
}) {
  const { state, key } = line;
  const reason = copy.reasons[line.code];
  return (
    <div class={`line mine ${state}`}>
      <div class="bubble">
        <span class="hidden">{copy.you}: </span>
        <Content type={line.type} body={line.body} server={server} />
      </div>
      {state === 'failed' ? (
        <p class="failed" role="alert">
          {copy.failed}
          {reason && ` · ${reason}`}
          <button type="button" onClick={() => retry(key)}>
            {copy.retry}
          </button>
          <button type="button" onClick={() => discard(key)}>
            {copy.remove}
          </button>
        </p>
      ) : (
        isLast && (
          <p class="mark">
            {{ waiting: copy.queued, sent: copy.sending, stored: '', read: copy.read }[state]}
          </p>
        )
      )}
    </div>
  );
}
