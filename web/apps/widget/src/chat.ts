/**
 * The widget's model: session, connection, uploads and what has been seen, behind one snapshot.
 * Refuses the page's markup.
 *
 * Rule: everything the panel shows comes from `snapshot()`; `changed` says when to ask again.
 */

import { type Client, connect } from '@qingniao/client/connect';
import { type Conversation, emptyConversation, lastSeq } from '@qingniao/client/conversation';
import { lockAcquire, storageAcquire } from '@qingniao/client/lease';
import type { LinkStatus } from '@qingniao/client/link';
import type { OutboxStore } from '@qingniao/client/outbox';
import { idbOutbox } from '@qingniao/client/outbox-idb';
import { Close } from '@qingniao/protocol/codes';
import { EntryType, type JsonMap } from '@qingniao/protocol/frames';
import type { Copy, Settings } from './contract.ts';
import { createSession, type Site } from './session.ts';
import { type Timeline, timeline } from './timeline.ts';
import { createUploads, type Upload } from './upload.ts';

export interface Snapshot {
  readonly site: Site | null;
  readonly view: Conversation;
  readonly lines: Timeline;
  readonly link: LinkStatus['phase'] | 'starting' | 'banned';
  readonly uploads: readonly Upload[];
  /** Something can be said, now or when the connection is back. */
  readonly isReady: boolean;
  readonly bodyChars: number;
  /** What others said and the visitor has not seen. */
  readonly unread: number;
}

export interface Chat {
  snapshot(): Snapshot;
  say(text: string): void;
  /** The service, or the answer `of`; then a score of 0 takes it back. */
  rate(rating: { score: number; comment?: string; of?: number }): void;
  handoff(): void;
  retry(key: string): void;
  discard(key: string): void;
  typing(isOn: boolean): void;
  /** Everything that is there has been seen. */
  seen(): void;
  older(): void;
  wake(): void;
  attach(files: Iterable<File>): void;
  retryUpload(key: number): void;
  removeUpload(key: number): void;
}

const FILE_BYTES = 20_971_520;
const RETRY_MS = 4_000;

export function createChat(settings: Settings, copy: Copy, changed: () => void): Chat {
  const session = createSession(settings);
  let client: Client | null = null;
  let id = 0;
  let site: Site | null = null;
  let trouble: 'banned' | null = null;
  /** The token was refused once; twice in a row is not a matter of age. */
  let isRenewed = false;

  const socket = settings.server.replace(/^http/, 'ws');

  const begin = async (): Promise<void> => {
    try {
      const { conversation } = await session.visitor();
      id = conversation;
    } catch (error) {
      if ((error as { code?: number }).code === Close.BANNED) trouble = 'banned';
      else setTimeout(() => void begin(), RETRY_MS);
      return changed();
    }
    client = connect({
      url: `${socket}/ws`,
      token: async () => (await session.visitor()).token,
      me: 'v',
      follow: [id],
      store: openStore(settings.server),
    });
    client.on('conversation', changed);
    client.on('status', onStatus);
    changed();
  };

  const onStatus = (status: LinkStatus): void => {
    if (status.phase === 'online') isRenewed = false;
    if (status.phase === 'stopped' && status.code === Close.BANNED) trouble = 'banned';
    if (status.phase === 'stopped' && status.code === Close.BAD_TOKEN && !isRenewed) {
      isRenewed = true;
      client?.close();
      session.forget();
      void begin();
    }
    changed();
  };

  const loadSite = (): void => {
    session.site().then(
      (loaded) => {
        site = loaded;
        changed();
      },
      () => setTimeout(loadSite, RETRY_MS * 4),
    );
  };

  const send = (type: number, body: string | JsonMap): void => {
    session.touch();
    client?.send(id, type, body);
  };
  const uploads = createUploads({
    server: settings.server,
    copy,
    limit: () => site?.file_bytes ?? client?.limits?.file_bytes ?? FILE_BYTES,
    token: async () => (await session.visitor()).token,
    changed,
    done: (file) => send(EntryType.FILE, file),
  });

  void begin();
  loadSite();

  return {
    snapshot: () => {
      const view = client?.view(id) ?? emptyConversation(0);
      const lines = timeline(view, copy, Date.now());
      const seen = view.state.read?.v ?? 0;
      const link = trouble ?? client?.status.phase ?? 'starting';
      return {
        site,
        view,
        lines,
        link,
        isReady: client !== null && link !== 'banned' && link !== 'stopped',
        uploads: uploads.list,
        bodyChars: client?.limits?.body_chars ?? 4_000,
        unread: lines.heard.filter((seq) => seq > seen).length,
      };
    },
    say: (text) => send(EntryType.TEXT, text),
    rate: (rating) => send(EntryType.RATING, rating),
    handoff: () => send(EntryType.ACTION, { do: 'handoff' }),
    retry: (key) => client?.retry(id, key),
    discard: (key) => client?.discard(id, key),
    typing: (isOn) => client?.typing(id, isOn),
    seen: () => {
      const view = client?.view(id);
      if (view) client?.read(id, lastSeq(view));
    },
    older: () => client?.history(id),
    wake: () => client?.wake(),
    attach: (files) => uploads.add(files),
    retryUpload: (key) => uploads.retry(key),
    removeUpload: (key) => uploads.remove(key),
  };
}

/** The best outbox this browser offers; `undefined` for none at all. */
function openStore(server: string): OutboxStore | undefined {
  try {
    const acquire = navigator.locks ? lockAcquire(navigator.locks) : storageAcquire(localStorage);
    return idbOutbox({ name: `qingniao:${server}`, acquire, session: sessionStorage });
  } catch {
    return undefined;
  }
}
