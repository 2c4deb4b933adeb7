/** What is worth calling an agent for: somebody began to wait, or one of mine replied. Pure. */
import type { InboxItem } from '@qingniao/client/inbox';

export type Reason = 'waiting' | 'message';

/** Why the change of a row is worth a call, or null. Unknown before means that it was only just loaded. */
export function worthACall(
  before: InboxItem | undefined,
  now: InboxItem,
  me: number,
): Reason | null {
  if (before === undefined || before === now) return null;
  if (now.status === 'waiting' && before.status !== 'waiting') return 'waiting';
  const isMine = now.status === 'open' && now.assignee?.id === me;
  return isMine && now.sender === 'v' && now.time > before.time ? 'message' : null;
}
