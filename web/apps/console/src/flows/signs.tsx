/** The sign of each kind of node and the group it belongs to. Unknown kinds have a sign too. */

export type Group = 'begin' | 'say' | 'ask' | 'think' | 'answer' | 'do';
export const GROUPS: readonly Group[] = ['begin', 'think', 'answer', 'say', 'ask', 'do'];

type Tone = 'blue' | 'red' | 'violet' | 'teal' | 'amber' | 'grey';

interface Look {
  readonly group: Group;
  readonly tone: Tone;
  readonly path: string;
}

const LOOKS: Readonly<Record<string, Look>> = {
  start: { group: 'begin', tone: 'blue', path: 'M6 6l11 11M17 8.5V17H8.5' },
  end: { group: 'begin', tone: 'grey', path: 'M7 7h10v10H7z' },
  handoff: {
    group: 'begin',
    tone: 'amber',
    path: 'M12 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM5 19.5c.4-3.6 3.2-5.2 7-5.2s6.6 1.6 7 5.2',
  },
  sensitive: { group: 'think', tone: 'red', path: 'M12 4v16M5 8l14 8M19 8 5 16' },
  intent: { group: 'think', tone: 'violet', path: 'M12 4l8 8-8 8-8-8z' },
  condition: { group: 'think', tone: 'grey', path: 'M4 12h6l4-6h6M10 12l4 6h6' },
  split: {
    group: 'think',
    tone: 'grey',
    path: 'M6 18 18 6M7.5 9a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM16.5 18a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z',
  },
  knowledge: {
    group: 'answer',
    tone: 'teal',
    path: 'M5 5h14v14H5zM8.5 9.5h7M8.5 12.5h7M8.5 15.5h4',
  },
  answer: {
    group: 'answer',
    tone: 'violet',
    path: 'M12 4l1.8 6.2L20 12l-6.2 1.8L12 20l-1.8-6.2L4 12l6.2-1.8z',
  },
  ask_back: {
    group: 'answer',
    tone: 'teal',
    path: 'M9 9a3 3 0 1 1 4.4 2.6c-1 .5-1.4 1.1-1.4 2.2M12 17.5h.01',
  },
  say: { group: 'say', tone: 'blue', path: 'M4.5 6h15v9.5H12L8 19v-3.5H4.5z' },
  cards: { group: 'say', tone: 'blue', path: 'M4.5 6.5h9v11h-9zM16.5 8.5h3v7h-3' },
  buttons: { group: 'ask', tone: 'blue', path: 'M4.5 5.5h15v5h-15zM4.5 13.5h15v5h-15z' },
  ask: {
    group: 'ask',
    tone: 'blue',
    path: 'M9 8.5a3 3 0 1 1 4.4 2.6c-1 .5-1.4 1.1-1.4 2.2M12 17h.01M4 4h16v16H4z',
  },
  rating: {
    group: 'ask',
    tone: 'amber',
    path: 'M12 4l2.4 5.1 5.6.7-4.1 3.9 1.1 5.5L12 16.5 7 19.2l1.1-5.5L4 9.8l5.6-.7z',
  },
  set: { group: 'do', tone: 'grey', path: 'M5 8h14M5 16h14M9.5 5v6M14.5 13v6' },
  http: {
    group: 'do',
    tone: 'grey',
    path: 'M4 9h14M14.5 5.5 18 9l-3.5 3.5M20 15H6M9.5 11.5 6 15l3.5 3.5',
  },
  wait: { group: 'do', tone: 'grey', path: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16ZM12 7.5V12l3 2' },
  subflow: { group: 'do', tone: 'teal', path: 'M4.5 4.5h6v6h-6zM13.5 13.5h6v6h-6zM10.5 7.5h6v6' },
};

const UNKNOWN: Look = { group: 'do', tone: 'grey', path: 'M12 6v7M12 17h.01' };

export const lookOf = (kind: string): Look => LOOKS[kind] ?? UNKNOWN;

export function KindSign({ kind, size = 26 }: { kind: string; size?: number }) {
  const { tone, path } = lookOf(kind);
  return (
    <span
      className={`flow-sign flow-sign-${tone}`}
      style={{ width: size, height: size }}
      aria-hidden="true"
    >
      <svg
        aria-hidden="true"
        width={size * 0.62}
        height={size * 0.62}
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        strokeWidth={1.9}
        strokeLinecap="round"
        strokeLinejoin="round"
        focusable="false"
      >
        <path d={path} />
      </svg>
    </span>
  );
}
