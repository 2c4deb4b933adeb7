/** Which key means what. Pure. Its one rule: a letter typed into a field is a letter. */

export const COMMANDS = [
  { name: 'next', keys: ['j'] },
  { name: 'previous', keys: ['k'] },
  { name: 'search', keys: ['/'] },
  { name: 'take', keys: ['t'] },
  { name: 'reply', keys: ['r'] },
  { name: 'note', keys: ['n'] },
  { name: 'close', keys: ['e'] },
  { name: 'help', keys: ['?'] },
] as const;

const FULL_WIDTH: Readonly<Record<string, string>> = { '、': '/', '？': '?' };

export type Command = (typeof COMMANDS)[number]['name'];

export interface Press {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly isComposing: boolean;
  /** The focus is where text is written. */
  readonly inField: boolean;
  /** Something lies over the page that has keys of its own. */
  readonly inDialog: boolean;
}

/** The command of a key press, or null. */
export function commandOf(press: Press): Command | null {
  if (press.ctrlKey || press.metaKey || press.altKey || press.isComposing || press.inField)
    return null;
  // A Chinese input method in full-width mode writes these for the same keys.
  const key = FULL_WIDTH[press.key] ?? press.key;
  const found = COMMANDS.find((command) => (command.keys as readonly string[]).includes(key));
  if (found === undefined) return null;
  return press.inDialog && found.name !== 'help' ? null : found.name;
}
