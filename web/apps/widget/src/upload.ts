/**
 * Files on their way to the server. Owns progress and the sentence when it fails; refuses to say
 * anything in the conversation: whoever started an upload does that with its result.
 *
 * Rule: at most a handful at once, each with a way to stop it.
 */

import type { JsonMap } from '@qingniao/protocol/frames';
import type { Copy } from './contract.ts';

export interface Upload {
  readonly key: number;
  readonly file: File;
  /** Of an image, for as long as it is on its way; else empty. */
  readonly preview: string;
  /** 0 to 1. */
  readonly progress: number;
  /** A sentence for the visitor; empty while it goes well. */
  readonly error: string;
  readonly isFinal: boolean;
}

export interface Uploads {
  readonly list: readonly Upload[];
  add(files: Iterable<File>): void;
  retry(key: number): void;
  remove(key: number): void;
}

export interface UploadOptions {
  readonly server: string;
  readonly copy: Copy;
  /** Bytes. */
  limit(): number;
  token(): Promise<string>;
  changed(): void;
  done(file: JsonMap): void;
}

const MAX_AT_ONCE = 6;
const DEADLINE_MS = 120_000;

export function createUploads(options: UploadOptions): Uploads {
  const { copy } = options;
  const uploads = new Map<number, Upload>();
  const requests = new Map<number, XMLHttpRequest>();
  let counter = 0;

  const set = (upload: Upload): void => {
    uploads.set(upload.key, upload);
    options.changed();
  };
  const remove = (key: number): void => {
    URL.revokeObjectURL(uploads.get(key)?.preview ?? '');
    uploads.delete(key);
    requests.get(key)?.abort();
    requests.delete(key);
    options.changed();
  };

  const run = async (upload: Upload): Promise<void> => {
    const { key, file } = upload;
    const fail = (error: string, isFinal = false): void => {
      if (uploads.has(key)) set({ ...upload, error, isFinal });
    };
    const tooLarge = copy.tooLarge(Math.floor(options.limit() / 1_048_576));
    if (file.size > options.limit()) return fail(tooLarge, true);
    if (file.size === 0) return fail(copy.emptyFile, true);
    set({ ...upload, error: '', progress: 0 });
    let token: string;
    try {
      token = await options.token();
    } catch {
      return fail(copy.uploadFailed);
    }
    const request = new XMLHttpRequest();
    requests.set(key, request);
    const body = new FormData();
    body.append('file', file, file.name);
    request.open('POST', `${options.server}/api/v1/files`);
    request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.setRequestHeader('X-Qingniao', '1');
    request.timeout = DEADLINE_MS;
    request.responseType = 'json';
    request.upload.onprogress = (event) => {
      const progress = event.total > 0 ? event.loaded / event.total : 0;
      if (uploads.has(key)) set({ ...upload, progress });
    };
    request.onerror = () => fail(copy.uploadFailed);
    request.ontimeout = request.onerror;
    request.onload = () => {
      const stored = (request.response as { file?: JsonMap } | null)?.file;
      if (request.status < 300 && stored) {
        remove(key);
        options.done(stored);
      } else if (request.status === 413) fail(tooLarge, true);
      else if (request.status === 415) fail(copy.wrongType, true);
      else fail(copy.uploadFailed);
    };
    request.send(body);
  };

  return {
    get list() {
      return [...uploads.values()];
    },
    add: (files) => {
      for (const file of files) {
        if (uploads.size >= MAX_AT_ONCE) return;
        const preview = file.type.startsWith('image/') ? URL.createObjectURL(file) : '';
        const upload = { key: ++counter, file, preview, progress: 0, error: '', isFinal: false };
        set(upload);
        void run(upload);
      }
    },
    retry: (key) => {
      const upload = uploads.get(key);
      if (upload) void run(upload);
    },
    remove,
  };
}
