/** The few drawings the panel needs, as paths on a 24-unit square. */

import { h } from './h.ts';

const PATHS = {
  down: 'M6 9.5l6 6 6-6',
  up: 'M12 19V5m-6 6l6-6 6 6',
  clip: 'M20 11.5l-8.3 8.3a5.3 5.3 0 0 1-7.5-7.5l8.7-8.7a3.5 3.5 0 0 1 5 5L9.3 17.2a1.8 1.8 0 0 1-2.5-2.5l7.7-7.7',
  file: 'M6 3h8l5 5v13H6zM14 3v5h5',
  cross: 'M6 6l12 12M18 6L6 18',
  star: 'M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z',
  thumb: 'M8 20H4V11h4m0 9V11l4-7c2 0 3 1 2 5h6l-2 11z',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7.5 8.5a7.5 7.5 0 0 1 15 0',
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The bird, whose shape comes with the launcher. */
export function Bird() {
  return <i class="bird" />;
}
