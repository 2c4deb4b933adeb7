/**
 * Where the visitor writes, and files on their way.
 *
 * Rule: Enter sends, but never the Enter that ends the choice of characters in an input method.
 */

import { sizeText } from './Bubble.tsx';
import { h, type Ref } from './h.ts';
import { Icon } from './icons.tsx';
import type { Scene } from './scene.ts';
import type { Upload } from './upload.ts';

const MAX_HEIGHT = 128;
/** `keyCode` of a key that an input method has taken; Safari says it after the composition's end. */
const TAKEN = 229;
const picker: Ref<HTMLInputElement> = { current: null };

/** As tall as its text, up to a limit. */
export function grow(area: HTMLTextAreaElement | null): void {
  if (!area) return;
  area.style.height = 'auto';
  area.style.height = `${Math.min(area.scrollHeight, MAX_HEIGHT)}px`;
}

export function Composer({ scene }: { scene: Scene }) {
  const { chat, now, copy, ui, field, plan } = scene;
  const over = [...ui.text.trim()].length - now.bodyChars;
  const canSend = now.isReady && ui.text.trim() !== '' && over <= 0;

  const write = (text: string): void => {
    ui.text = text;
    chat.typing(text !== '');
    grow(field.current);
    plan();
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    if (!canSend || !field.current) return;
    chat.say(ui.text.trim());
    field.current.value = '';
    write('');
    field.current.focus();
  };

  return (
    <form class="composer" onSubmit={submit}>
      {now.uploads.map((upload) => (
        <Uploading key={upload.key} upload={upload} scene={scene} />
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
          placeholder={copy.placeholder}
          aria-label={copy.placeholder}
          enterkeyhint="send"
          onInput={(event) => write(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey) return;
            if (!event.isComposing && event.keyCode !== TAKEN) submit(event);
          }}
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
          disabled={!now.isReady}
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

function Uploading({ upload, scene: { chat, copy } }: { upload: Upload; scene: Scene }) {
  const { key, file, preview, progress, error, isFinal } = upload;
  return (
    <div class={error ? 'upload bad' : 'upload'}>
      {preview ? <img src={preview} alt="" /> : <Icon name="file" />}
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
          [
            <small>{sizeText(file.size)}</small>,
            <progress value={progress} max={1} aria-label={file.name} />,
          ]
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
