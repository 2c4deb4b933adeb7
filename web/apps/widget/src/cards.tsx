/** The two cards under the messages: the place in the queue, and the question how it was. */

import type { StateFields } from '@qingniao/protocol/frames';
import type { Copy } from './contract.ts';
import { h } from './h.ts';
import { Icon } from './icons.tsx';
import type { Scene } from './scene.ts';

/** While nobody has the conversation yet: how many are ahead, and about how long. */
export function Queue({ queue, copy }: { queue: StateFields['queue']; copy: Copy }) {
  return (
    <div class="queue" role="status">
      <p>
        <span>{copy.waits}</span>
        {queue && (
          <b>
            {copy.ahead(queue.ahead)}
            {queue.eta_s > 0 && ` · ${copy.about(queue.eta_s)}`}
          </b>
        )}
      </p>
      <div class="bar">
        <i />
      </div>
      <small>{queue?.staffed === false ? copy.unstaffed : copy.queueHint}</small>
    </div>
  );
}

const SCORES = [1, 2, 3, 4, 5];
const MAX_COMMENT = 500;

/** One to five stars as a group of radio buttons, then a word if wanted. */
export function Rating({ scene: { chat, copy, ui, plan } }: { scene: Scene }) {
  return (
    <form
      class="rating"
      onSubmit={(event) => {
        event.preventDefault();
        chat.rate({ score: ui.score, comment: ui.comment.trim() });
        ui.score = 0;
        ui.comment = '';
      }}
    >
      <fieldset>
        <legend>{copy.rate}</legend>
        <div class="stars">
          {SCORES.map((value) => (
            <label class={value <= ui.score ? 'on' : ''}>
              <input
                type="radio"
                name="score"
                aria-label={copy.stars(value)}
                checked={value === ui.score}
                onChange={() => {
                  ui.score = value;
                  plan();
                }}
              />
              <Icon name="star" />
            </label>
          ))}
        </div>
      </fieldset>
      {ui.score > 0 && [
        <input
          class="comment"
          maxLength={MAX_COMMENT}
          placeholder={copy.comment}
          aria-label={copy.comment}
          onInput={(event) => {
            ui.comment = event.currentTarget.value;
          }}
        />,
        <button type="submit" class="solid">
          {copy.submit}
        </button>,
      ]}
    </form>
  );
}
