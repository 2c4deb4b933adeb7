/**
 * Where the agent writes: to the visitor or a note to the team. Owns text, mode, files and keys. Its one rule: Enter
 * that ends a composition of an input method never sends.
 */
import { EntryType, type JsonMap } from '@qingniao/protocol/frames';
import { Button } from 'antd';
import {
  type ClipboardEvent,
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { useTranslation } from 'react-i18next';
import { useCommands } from '../keys/commands.ts';
import { useLive } from '../live/context.tsx';
import { Icon } from '../parts/icon.tsx';
import { draftOf, keepDraft, type Mode } from './drafts.ts';
import { Tray } from './tray.tsx';
import { type Uploads, useUploads } from './uploads.ts';

const DEFAULT_CHARS = 4_000;
const DEFAULT_FILE_BYTES = 20 * 1024 * 1024;
const MAX_HEIGHT = 200;
/** The visitor's page forgets typing after six seconds; saying so again is the SDK's business. */
const QUIET_MS = 4_000;

interface ComposerProps {
  readonly id: number;
  /** Why the visitor cannot be answered now, with the way out; null when they can. */
  readonly closed: ReactNode | null;
  readonly uploads: Uploads;
}

export function useComposerUploads(): Uploads {
  const { client } = useLive();
  return useUploads(client.limits?.file_bytes ?? DEFAULT_FILE_BYTES);
}

export function Composer({ id, closed, uploads }: ComposerProps) {
  const { t } = useTranslation();
  const { client } = useLive();
  const [mode, setMode] = useState<Mode>('reply');
  const [text, setText] = useState(() => draftOf(id, 'reply'));
  const input = useRef<HTMLTextAreaElement>(null);
  const limit = client.limits?.body_chars ?? DEFAULT_CHARS;
  const over = [...text.trim()].length - limit;
  const isNote = mode === 'note';
  const hasWords = text.trim() !== '';
  const isReady =
    over <= 0 && !uploads.isBusy && (hasWords || (!isNote && uploads.tray.length > 0));

  const write = (next: string) => {
    setText(next);
    keepDraft(id, mode, next);
    if (!isNote) client.typing(id, next !== '');
  };
  const turn = (next: Mode) => {
    setMode(next);
    setText(draftOf(id, next));
    input.current?.focus();
  };
  const send = () => {
    if (!isReady) return;
    if (hasWords) client.send(id, isNote ? EntryType.NOTE : EntryType.TEXT, text.trim());
    if (!isNote) {
      for (const file of uploads.takeReady()) {
        client.send(id, EntryType.FILE, { ...file } satisfies JsonMap);
      }
    }
    write('');
    if (isNote && closed !== null) turn('reply');
    input.current?.focus();
  };

  useCommands({ note: () => turn('note'), reply: () => turn('reply') });
  useHeight(input, text);
  useQuiet(id, text, isNote);

  const onKeyDown = (event: KeyboardEvent) => {
    // Safari ends a composition before the key arrives and only says 229.
    const isComposing = event.nativeEvent.isComposing || event.keyCode === 229;
    if (event.key === 'Escape') input.current?.blur();
    if (event.key !== 'Enter' || event.shiftKey || isComposing) return;
    event.preventDefault();
    send();
  };
  const onPaste = (event: ClipboardEvent) => {
    const files = [...event.clipboardData.files];
    if (files.length === 0 || isNote) return;
    event.preventDefault();
    uploads.add(files);
  };

  if (closed !== null && !isNote) {
    return (
      <div className="composer composer-closed">
        {closed}
        <button type="button" className="plain-button composer-note" onClick={() => turn('note')}>
          <Icon name="note" size={15} />
          {t('composer.note_anyway')}
        </button>
      </div>
    );
  }
  return (
    <div className={isNote ? 'composer composer-is-note' : 'composer'}>
      <Tray uploads={uploads} />
      <textarea
        ref={input}
        rows={1}
        value={text}
        aria-label={t(isNote ? 'composer.note_label' : 'composer.label')}
        placeholder={t(isNote ? 'composer.note_placeholder' : 'composer.placeholder')}
        aria-invalid={over > 0}
        onChange={(event) => write(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
        enterKeyHint="send"
      />
      <div className="composer-foot">
        <fieldset className="modes">
          <legend className="hidden-text">{t('composer.mode')}</legend>
          {(['reply', 'note'] as const).map((one) => (
            <button
              key={one}
              type="button"
              className={one === mode ? 'mode mode-on' : 'mode'}
              aria-pressed={one === mode}
              onClick={() => turn(one)}
            >
              {t(`composer.${one}_mode`)}
            </button>
          ))}
        </fieldset>
        {!isNote && <Attach uploads={uploads} />}
        <span className={over > 0 ? 'composer-hint composer-over' : 'composer-hint'}>
          {over > 0 ? t('composer.over', { count: over }) : t('composer.send_hint')}
        </span>
        <Button type="primary" disabled={!isReady} onClick={send}>
          {t(isNote ? 'composer.save_note' : 'composer.send')}
        </Button>
      </div>
    </div>
  );
}

function Attach({ uploads }: { uploads: Uploads }) {
  const { t } = useTranslation();
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        className="plain-button attach"
        aria-label={t('composer.attach')}
        title={t('composer.attach')}
        onClick={() => picker.current?.click()}
      >
        <Icon name="attach" size={19} />
      </button>
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        aria-label={t('composer.attach')}
        onChange={(event) => {
          uploads.add([...(event.target.files ?? [])]);
          event.target.value = '';
        }}
      />
    </>
  );
}

/** The field is as high as its text, up to a point. */
function useHeight(input: { current: HTMLTextAreaElement | null }, text: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const field = input.current;
    if (field === null) return;
    field.style.height = 'auto';
    field.style.height = `${Math.min(field.scrollHeight, MAX_HEIGHT)}px`;
  }, [text, input]);
}

/** Says that typing stopped, after a pause and on the way out. */
function useQuiet(id: number, text: string, isNote: boolean): void {
  const { client } = useLive();
  // biome-ignore lint/correctness/useExhaustiveDependencies: every change of the text starts the pause anew
  useEffect(() => {
    if (isNote) return;
    const timer = setTimeout(() => client.typing(id, false), QUIET_MS);
    return () => clearTimeout(timer);
  }, [client, id, text, isNote]);
  useEffect(() => () => client.typing(id, false), [client, id]);
}
