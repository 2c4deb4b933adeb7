import { expect, test } from 'vitest';
import { COMMANDS, commandOf, type Press } from '../src/keys/shortcuts.ts';

const press = (key: string, more: Partial<Press> = {}): Press => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  isComposing: false,
  inField: false,
  inDialog: false,
  ...more,
});

test('every key means one thing', () => {
  const keys = COMMANDS.flatMap((command) => [...command.keys]);
  expect(new Set(keys).size).toBe(keys.length);
});

test.each([
  ['j', 'next'],
  ['k', 'previous'],
  ['/', 'search'],
  ['、', 'search'],
  ['e', 'close'],
  ['n', 'note'],
  ['?', 'help'],
  ['？', 'help'],
  ['x', null],
] as const)('%s is %s', (key, command) => {
  expect(commandOf(press(key))).toBe(command);
});

test.each([
  { inField: true },
  { ctrlKey: true },
  { metaKey: true },
  { altKey: true },
  { isComposing: true },
] as const)('with %j a letter is a letter', (more) => {
  for (const command of COMMANDS) expect(commandOf(press(command.keys[0], more))).toBeNull();
});

test('over a dialog only help, which closes it, works', () => {
  expect(commandOf(press('j', { inDialog: true }))).toBeNull();
  expect(commandOf(press('?', { inDialog: true }))).toBe('help');
});
