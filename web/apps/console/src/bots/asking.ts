/**
 * One question to two bots, and their answers as they come. Owns what was said; draws nothing. Its one rule: an answer
 * is whole only when its bot said so; what was left of one that failed is kept apart and marked.
 */
import type { BotTold, BotTried } from '../api/bots.ts';

export interface Answer {
  readonly bot: string;
  readonly version: number;
  readonly text: string;
  /** `asked`: nothing came yet. */
  readonly phase: 'asked' | 'writing' | 'done' | 'failed' | 'stopped';
  /** A step that the bot is at. */
  readonly step: string;
  readonly hasRetracted: boolean;
  readonly tried: BotTried | null;
  /** What kept it from being asked at all; a sentence. */
  readonly fault: string;
}

export interface Round {
  readonly id: number;
  readonly question: string;
  readonly answers: readonly Answer[];
}

/** So many questions stay to be read; the oldest goes. */
export const ROUNDS = 20;

export function asked(bot: string, version: number): Answer {
  return {
    bot,
    version,
    text: '',
    phase: 'asked',
    step: '',
    hasRetracted: false,
    tried: null,
    fault: '',
  };
}

/** What a piece makes of an answer. */
export function heard(answer: Answer, piece: BotTold): Answer {
  if (piece.done !== undefined) {
    const { done } = piece;
    // The end has the whole answer and wins over the pieces.
    const text = done.is_ok ? done.text : answer.text;
    return { ...answer, text, phase: done.is_ok ? 'done' : 'failed', step: '', tried: done };
  }
  if (piece.retracted === true) return { ...answer, text: '', hasRetracted: true, step: '' };
  if (piece.working !== undefined) return { ...answer, step: piece.working };
  const text = answer.text + (piece.delta ?? '');
  return { ...answer, text, phase: text === '' ? answer.phase : 'writing', step: '' };
}

export function isOver({ phase }: Answer): boolean {
  return phase === 'done' || phase === 'failed' || phase === 'stopped';
}

export function withRound(rounds: readonly Round[], round: Round): readonly Round[] {
  return [...rounds, round].slice(-ROUNDS);
}

/** The same rounds with one answer changed. */
export function withAnswer(
  rounds: readonly Round[],
  round: number,
  at: number,
  change: (answer: Answer) => Answer,
): readonly Round[] {
  return rounds.map((one) =>
    one.id === round
      ? { ...one, answers: one.answers.map((held, index) => (index === at ? change(held) : held)) }
      : one,
  );
}
