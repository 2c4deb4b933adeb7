import { expect, test } from 'vitest';
import { createScroll } from '../src/scroll.ts';

/** A box with the geometry of a real one: a position never lies beyond the end. */
function log() {
  let top = 0;
  const box = {
    scrollHeight: 900,
    clientHeight: 300,
    get scrollTop() {
      return Math.min(top, this.scrollHeight - this.clientHeight);
    },
    set scrollTop(value: number) {
      top = Math.max(0, Math.min(value, this.scrollHeight - this.clientHeight));
    },
  };
  return {
    box,
    scroll: createScroll(
      () => box as unknown as HTMLElement,
      () => {},
    ),
  };
}

test('a change of layout keeps the last message in view', () => {
  const { box, scroll } = log();
  scroll.toBottom();
  box.scrollHeight = 1_500; // narrower: the same words need more lines
  scroll.moved();
  expect(scroll.isPinned).toBe(true);
  expect(box.scrollTop).toBe(1_200);
  box.clientHeight = 120; // the keyboard of a phone
  scroll.moved();
  expect(box.scrollTop).toBe(1_380);
});

test('a reader who scrolls away is left there', () => {
  const { box, scroll } = log();
  scroll.toBottom();
  box.scrollTop = 100;
  scroll.moved();
  expect(scroll.isPinned).toBe(false);
  expect(box.scrollTop).toBe(100);
});
