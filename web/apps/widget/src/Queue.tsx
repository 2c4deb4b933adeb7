/** While nobody has the conversation yet: how many are ahead, and about how long. */

import type { StateFields } from '@qingniao/protocol/frames';
import type { Copy } from './contract.ts';

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
      <small>{copy.queueHint}</small>
    </div>
  );
}
