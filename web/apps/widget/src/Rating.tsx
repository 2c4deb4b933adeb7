/** One to five stars after a conversation, as a group of radio buttons, and a word if wanted. */

import { useState } from 'preact/hooks';
import type { Copy } from './contract.ts';
import { Icon } from './icons.tsx';

const SCORES = [1, 2, 3, 4, 5];
const MAX_COMMENT = 500;

export function Rating({ copy, rate }: { copy: Copy; rate(score: number, comment: string): void }) {
  const [score, setScore] = useState(0);
  const [comment, setComment] = useState('');
  return (
    <form
      class="rating"
      onSubmit={(event) => {
        event.preventDefault();
        if (score > 0) rate(score, comment.trim());
      }}
    >
      <fieldset>
        <legend>{copy.rate}</legend>
        <div class="stars">
          {SCORES.map((value) => (
            <label class={value <= score ? 'on' : ''} key={value}>
              <input
                type="radio"
                name="score"
                aria-label={copy.stars(value)}
                checked={value === score}
                onChange={() => setScore(value)}
              />
              <Icon name="star" />
            </label>
          ))}
        </div>
      </fieldset>
      {score > 0 && (
        <>
          <input
            class="comment"
            value={comment}
            maxLength={MAX_COMMENT}
            placeholder={copy.comment}
            aria-label={copy.comment}
            onInput={(event) => setComment(event.currentTarget.value)}
          />
          <button type="submit" class="solid">
            {copy.submit}
          </button>
        </>
      )}
    </form>
  );
}
