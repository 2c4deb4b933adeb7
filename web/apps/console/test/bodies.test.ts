import type { Body } from '@qingniao/protocol/frames';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  answerOf,
  fileOf,
  fileUrl,
  isImage,
  plainOf,
  ratingOf,
  stagesOf,
  statusOf,
} from '../src/chat/bodies.ts';
import { fitted } from '../src/chat/file-card.tsx';

const body = fc.oneof(
  fc.string(),
  fc.constant(null),
  fc.dictionary(fc.string(), fc.jsonValue()),
) as fc.Arbitrary<Body>;

test('no body, however strange, is a fault', () => {
  fc.assert(
    fc.property(body, (strange) => {
      for (const read of [answerOf, fileOf, plainOf, ratingOf, statusOf, stagesOf]) read(strange);
    }),
  );
});

test('an answer keeps what is well formed and leaves out the rest', () => {
  const answer = answerOf({
    text: 'Yes',
    cites: [{ id: 'k1', title: '规则', quote: 'q' }, 7],
    options: ['a', 3],
    confidence: 0.9,
  });
  expect(answer).toEqual({
    text: 'Yes',
    cites: [{ id: 'k1', title: '规则', quote: 'q' }],
    options: ['a'],
    confidence: 0.9,
    bot: '',
    tookMs: null,
    isPartial: false,
  });
});

test('a rating is of the service or of one answer', () => {
  expect(ratingOf({ score: 4 })).toEqual({ score: 4, comment: '', isOfAnswer: false });
  expect(ratingOf({ score: 0, of: 3 })).toEqual({ score: 0, comment: '', isOfAnswer: true });
});

test('a status without a known goal is none', () => {
  expect(statusOf({ from: 'bot', to: 'elsewhere' })).toBeNull();
  expect(statusOf({ from: 'bot', to: 'open', agent: { id: 3, name: '周宁' } })?.agent).toBe('周宁');
});

test('a file address cannot leave its folder', () => {
  expect(fileUrl({ id: '../api/v1/session' })).toBe('/files/..%2Fapi%2Fv1%2Fsession');
});

test('only pictures that the server shows are shown', () => {
  expect(isImage({ mime: 'image/png' })).toBe(true);
  expect(isImage({ mime: 'image/svg+xml' })).toBe(false);
});

test('a picture keeps its shape within the bounds', () => {
  expect(fitted({ w: 900, h: 620 })).toEqual({ width: 320, height: 220 });
  expect(fitted({ w: 100, h: 80 })).toEqual({ width: 100, height: 80 });
  expect(fitted({ w: null, h: null })).toEqual({ width: 200, height: 200 });
  expect(fitted({ w: 4000, h: 10 })).toEqual({ width: 320, height: 48 });
});

test('a step is the stages of its trace, with what each decided', () => {
  const body = {
    answers: 1,
    trace: [
      {
        node: 'knowledge',
        kind: 'knowledge',
        port: 'sure',
        ms: 3.07,
        confidence: 0.734,
        hits: ['a', 'b'],
      },
      { node: 'end', kind: 'end', port: '', ms: 0.02 },
    ],
  };
  expect(stagesOf(body)).toEqual([
    {
      kind: 'knowledge',
      port: 'sure',
      ms: 3.07,
      facts: [
        ['confidence', '0.73'],
        ['hits', 'a、b'],
      ],
    },
    { kind: 'end', port: '', ms: 0.02, facts: [] },
  ]);
});

test('a step of another shape still says what it holds', () => {
  expect(stagesOf({ node: 'own', reason: 'because' })).toEqual([
    { kind: 'own', port: '', ms: null, facts: [['reason', 'because']] },
  ]);
});
