/** A change of hands as a sentence. Pure but for the words. */
import type { TFunction } from 'i18next';
import { stopwatch } from '../format/time.ts';
import { whyText } from '../inbox/why.ts';
import type { StatusBody } from './bodies.ts';

/** What a status entry says; `waited` is how long the visitor had been waiting before it, when known. */
export function statusLine(body: StatusBody, waited: number | null, t: TFunction): string {
  switch (body.to) {
    case 'waiting':
      return t('line.waiting', { why: whyText(body.why, t) });
    case 'open':
      if (body.agent === '') return t('line.open_plain');
      if (waited === null || body.from !== 'waiting') return t('line.open', { name: body.agent });
      return t('line.open_wait', { name: body.agent, wait: stopwatch(waited, t) });
    case 'bot':
      if (body.from === 'closed') return t('line.again');
      if (body.from !== 'open' && body.from !== 'waiting') return t('line.started');
      return body.agent === '' ? t('line.bot') : t('line.bot_by', { name: body.agent });
    case 'closed':
      if (body.agent !== '') return t('line.closed_by', { name: body.agent });
      if (body.by === 'v') return t('line.closed_visitor');
      return t(body.why === 'idle' || body.why === 'timeout' ? 'line.closed_idle' : 'line.closed');
  }
}
