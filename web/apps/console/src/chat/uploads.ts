/**
 * Files on their way to the server before they are sent. Owns the tray and its bound; a file is sent as an entry only
 * once the server has it.
 */
import type { TFunction } from 'i18next';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { uploadFile } from '../api/calls.ts';
import type { UploadedFile } from '../api/types.ts';
import { fileSize } from '../format/size.ts';
import { sentence } from '../parts/fault.tsx';
import { toast } from '../parts/toast.tsx';

export interface Upload {
  readonly key: number;
  readonly name: string;
  readonly size: number;
  /** Null while it is on its way. */
  readonly file: UploadedFile | null;
}

/** More at once than this are refused. */
const AT_ONCE = 9;

export interface Uploads {
  readonly tray: readonly Upload[];
  readonly isBusy: boolean;
  add(files: readonly File[]): void;
  remove(key: number): void;
  /** What is ready, taken out of the tray. */
  takeReady(): readonly UploadedFile[];
}

export function useUploads(maxBytes: number): Uploads {
  const { t } = useTranslation();
  const [tray, setTray] = useState<readonly Upload[]>([]);
  const running = useRef(new Map<number, AbortController>());
  const lastKey = useRef(0);

  useEffect(() => {
    const under = running.current;
    return () => {
      for (const controller of under.values()) controller.abort();
    };
  }, []);

  const begin = useCallback(
    async (file: File) => {
      lastKey.current += 1;
      const key = lastKey.current;
      const controller = new AbortController();
      running.current.set(key, controller);
      setTray((now) => [...now, { key, name: file.name, size: file.size, file: null }]);
      try {
        const stored = await uploadFile(file, controller.signal);
        setTray((now) => now.map((one) => (one.key === key ? { ...one, file: stored } : one)));
      } catch (cause) {
        setTray((now) => now.filter((one) => one.key !== key));
        if (!controller.signal.aborted) complain(file, cause, t);
      } finally {
        running.current.delete(key);
      }
    },
    [t],
  );

  return {
    tray,
    isBusy: tray.some((one) => one.file === null),
    add: (files) => {
      for (const file of files.slice(0, AT_ONCE - tray.length)) {
        if (file.size > maxBytes) {
          const limit = fileSize(maxBytes);
          toast({ text: t('composer.too_large', { name: file.name, limit }), tone: 'fault' });
        } else void begin(file);
      }
    },
    remove: (key) => {
      running.current.get(key)?.abort();
      setTray((now) => now.filter((one) => one.key !== key));
    },
    takeReady: () => {
      const ready = tray.flatMap((one) => (one.file === null ? [] : [one.file]));
      setTray((now) => now.filter((one) => one.file === null));
      return ready;
    },
  };
}

function complain(file: File, cause: unknown, t: TFunction): void {
  const why = sentence(cause, t);
  toast({ text: t('composer.upload_failed', { name: file.name, why }), tone: 'fault' });
}
