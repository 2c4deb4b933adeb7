/** What the server refuses of flows, in our words. */
import i18next from 'i18next';
import { ApiError } from '../api/http.ts';
import { NS } from './words.ts';

const OURS = ['flow_unsound', 'flow_used', 'draft_changed'] as const;

export function faultWords(cause: unknown): string | undefined {
  const code = OURS.find((one) => cause instanceof ApiError && cause.code === one);
  return code === undefined ? undefined : i18next.t(`errors.${code}`, { ns: NS });
}
