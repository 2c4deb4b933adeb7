/** A talk with a draft, turn by turn. Owns what has been said and where the flow stands; asks nobody itself. */
import type { FlowTried, Spoken } from '../api/flows.ts';

export interface Turn {
  readonly id: number;
  /** What the visitor said; empty: the time was up. */
  readonly said: string;
  readonly told: FlowTried | undefined;
  readonly fault: string;
}

/** The server takes so many sentences that were said before. */
export const MOST_SAID = 40;

export function textsOf(told: FlowTried | undefined): readonly string[] {
  return (told?.says ?? []).flatMap((one) => (typeof one.text === 'string' ? [one.text] : []));
}

export function optionsOf(told: FlowTried | undefined): readonly string[] {
  const last = told?.says.at(-1)?.options;
  return Array.isArray(last) ? last.map(String) : [];
}

/** What the next turn is told of those before it, the newest kept. */
export function saidBefore(turns: readonly Turn[]): readonly Spoken[] {
  const all = turns.flatMap(({ said, told }): Spoken[] => [
    ...(said === '' ? [] : [{ role: 'visitor' as const, text: said }]),
    ...textsOf(told).map((text) => ({ role: 'bot' as const, text })),
  ]);
  return all.slice(-MOST_SAID);
}

export function stateAfter(turns: readonly Turn[]): FlowTried['state'] {
  return turns.findLast(({ told }) => told !== undefined)?.told?.state ?? {};
}

/** Sources that an answer names. */
export function sourcesOf(says: Readonly<Record<string, unknown>>): readonly string[] {
  const { citations } = says;
  if (!Array.isArray(citations)) return [];
  return citations.flatMap((one: unknown) => {
    if (typeof one !== 'object' || one === null) return [];
    const { title } = one as { title?: unknown };
    return typeof title === 'string' && title !== '' ? [title] : [];
  });
}

/** What was paid for the answers of bots, by currency. */
export function costOf(told: FlowTried): string {
  const sums = new Map<string, number>();
  for (const { answer } of told.steps.flatMap(({ asked }) => asked)) {
    const { cost, currency } = answer;
    if (typeof cost === 'number' && cost > 0)
      sums.set(String(currency ?? ''), (sums.get(String(currency ?? '')) ?? 0) + cost);
  }
  return [...sums].map(([currency, sum]) => `${sum.toFixed(4)} ${currency}`.trim()).join(' + ');
}
