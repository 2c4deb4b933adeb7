/**
 * Where the visitor writes. Owns the text until it is sent, and files on their way.
 *
 * Rule: Enter sends, but never the Enter that ends the choice of characters in an input method.
 */

import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { sizeText } from './Bubble.tsx';
import type { Chat, Snapshot } from './chat.ts';
import type { Copy } from './contract.ts';
import { Icon } from './icons.tsx';
import type { Upload } from './upload.ts';

interface Props {
  readonly chat: Chat;
  readonly now: Snapshot;
  readonly copy: Copy;
  readonly field: RefObject<HTMLTextAreaElement | null>;
}

const MAX_HEIGHT = 128;
/** `keyCode` of a key that an input method has taken; Safari says it after the composition's end. */
const TAKEN = 229;

export function Composer({ chat, now, copy, field }: Props) {
  const [text, setText] = useState('');
  const picker = useRef<HTMLInputElement>(null);
  const over = [...text.trim()].length - now.bodyChars;
  const isReady = now.link !== 'starting' && now.link !== 'banned' && now.link !== 'stopped';
  const canSend = isReady && text.trim() !== '' && over <= 0;

  useEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight, MAX_HEIGHT)}px`;
  }, [text, field]);

  const submit = (): void => {
    if (!canSend) return;
    chat.say(text.trim());
    setText('');
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey) return;
    if (event.isComposing || event.keyCode === TAKEN) return;
    event.preventDefault();
    submit();
  };
  const onInput = (value: string): void => {
    setText(value);
    chat.typing(value !== '');
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {now.uploads.map((upload) => (
        <Uploading key={upload.key} upload={upload} chat={chat} copy={copy} />
      ))}
      {over > 0 && (
        <p class="over" role="alert">
          {copy.tooLong(over)}
        </p>
      )}
      <div class="field">
        <textarea
          ref={field}
          rows={1}
          value={text}
          placeholder={copy.placeholder}
          aria-label={copy.placeholder}
          enterkeyhint="send"
          onInput={(event) => onInput(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          onBlur={() => chat.typing(false)}
          onPaste={(event) => {
            const files = event.clipboardData?.files;
            if (!files?.length) return;
            event.preventDefault();
            chat.attach(files);
          }}
        />
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            chat.attach(event.currentTarget.files ?? []);
            event.currentTarget.value = '';
          }}
        />
        <button
          type="button"
          class="tool"
          aria-label={copy.attach}
          title={copy.attach}
          disabled={!isReady}
          onClick={() => picker.current?.click()}
        >
          <Icon name="clip" />
        </button>
        <button type="submit" class="tool send" aria-label={copy.send} disabled={!canSend}>
          <Icon name="up" />
        </button>
      </div>
    </form>
  );
}

function Uploading({ upload, chat, copy }: { upload: Upload; chat: Chat; copy: Copy }) {
  const { key, file, progress, error, isFinal } = upload;
  const [preview, setPreview] = useState('');
  useEffect(() => {
    if (!file.type.startsWith('image/')) return;
    const url = URL.createObjectURL(file);
    setPreview(url);
    return () => URL.revokeObjectURL(url);
  }, [file]);
  return (
    <div class={`upload ${error ? 'bad' : ''}`}>
      {preview ? <img src={preview} alt="" onError={() => setPreview('')} /> : <Icon name="file" />}
      <div>
        <b>{file.name}</b>
        {error ? (
          <p role="alert">
            {error}
            {!isFinal && (
              <button type="button" onClick={() => chat.retryUpload(key)}>
                {copy.retry}
              </button>
            )}
          </p>
        ) : (
          <>
            <small>{sizeText(file.size)}</small>
            <progress value={progress} max={1} aria-label={file.name} />
          </>
        )}
      </div>
      <button
        type="button"
        class="tool"
        aria-label={`${copy.remove} ${file.name}`}
        onClick={() => chat.removeUpload(key)}
      >
        <Icon name="cross" />
      </button>
    </div>
  );
}
