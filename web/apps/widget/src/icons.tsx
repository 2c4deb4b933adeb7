/** The few drawings the panel needs, as paths on a 24-unit square. */

const PATHS = {
  bird: 'M21 6.4c-.9-.2-1.6-.7-2.4-1.3-1.3-1-3-1.1-4.3-.2-.8.6-1.3 1.4-1.5 2.3C9 8.2 5.8 7.2 3 4.6c.1 3.5 1.5 6 4 7.5-1.2.1-2.3-.2-3.4-.8.6 2.3 2.2 3.8 4.6 4.3-1.3 1.3-3 2-5.2 2.1 1.9 1.2 4 1.7 6.2 1.7 5.5 0 9.3-3.8 9.7-9.2.1-1 .5-1.9 1.2-2.600z',
  down: 'M6 9.500l6 6 6-6',
  up: 'M12 19V5m-6 6l6-6 6 6',
  clip: 'M20 11.500l-8.3 8.300a5.3 5.3 0 0 1-7.5-7.500l8.7-8.700a3.5 3.5 0 0 1 5 5L9.3 17.200a1.8 1.8 0 0 1-2.5-2.500l7.7-7.7',
  file: 'M6 3h8l5 5v13H6zM14 3v5h5',
  cross: 'M6 6l12 12M18 6L6 18',
  star: 'M12 3.500l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7.5 8.500a7.5 7.5 0 0 1 15 0',
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class={`icon ${name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
