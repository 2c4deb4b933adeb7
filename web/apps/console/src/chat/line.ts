/** A change of hands as a sentence. Pure but for the words. */
import type { TFunction } from 'i18next';
import { stopwatch } from '../format/time.ts';
import { whyText } from '../inbox/why.ts';
import type { StatusBody } from './bodies.ts';

/**
 * What a status entry says. `waited`: how long the visitor had been waiting before it, milliseconds, when known.
 * `by`: the name of the agent who did it, empty when it was nobody's doing or the name is not known.
 */
export function statusLine(
  body: StatusBody,
  waited: number | null,
  by: string,
  t: TFunction,
): string {
  switch (body.to) {
    case 'waiting':
      return body.team === ''
        ? t('line.waiting', { why: whyText(body.why, t) })
        : t('line.waiting_team', { why: whyText(body.why, t), team: body.team });
    case 'open':
      return openLine(body, waited, t);
    case 'bot':
      if (body.from === 'closed') return t('line.again');
      if (body.from !== 'open' && body.from !== 'waiting') return t('line.started');
      return by === '' ? t('line.bot') : t('line.bot_by', { name: by });
    case 'closed':
      if (by !== '') return t('line.closed_by', { name: by });
      if (body.by === 'v') return t('line.closed_visitor');
      return t(body.why === 'idle' ? 'line.closed_idle' : 'line.closed');
  }
}

function openLine(body: StatusBody, waited: number | null, t: TFunction): string {
  if (body.agent === '') return t('line.open_plain');
  const name = body.agent;
  const line =
    waited === null || body.from !== 'waiting'
      ? t('line.open', { name })
      : t('line.open_wait', { name, wait: stopwatch(waited, t) });
  // Somebody who took it needs no reason; the machine's choice does.
  return body.why === 'least_busy'
    ? t('line.open_auto', { line, why: whyText(body.why, t) })
    : line;
}
