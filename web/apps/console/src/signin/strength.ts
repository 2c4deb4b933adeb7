/**
 * How hard a password is to guess, roughly, to help while typing. Pure. The server decides; this only spares a round
 * trip. Its one rule: what is called weak-but-allowed here is never refused for its length by the server.
 */

export const MIN_LENGTH = 10;

export type Strength =
  | { readonly grade: 'empty' }
  | { readonly grade: 'short'; readonly missing: number }
  | { readonly grade: 'common' | 'weak' | 'fair' | 'strong' };

const COMMON = [
  'password',
  'qwertyuiop',
  '1234567890',
  '0123456789',
  'qingniao',
  'iloveyou',
  'administrator',
  'woaini1314',
  'letmein',
  '1q2w3e4r5t',
  'abcdefghij',
];

/** Judge `password`; `login` inside of it makes it easy to guess. */
export function strengthOf(password: string, login = ''): Strength {
  const length = [...password].length;
  if (length === 0) return { grade: 'empty' };
  if (length < MIN_LENGTH) return { grade: 'short', missing: MIN_LENGTH - length };
  const plain = password.toLowerCase();
  const stripped = plain.replace(/[\d\W_]+$/u, '');
  const isCommon = COMMON.some((word) => plain === word || (stripped !== '' && stripped === word));
  if (isCommon || (login.length > 2 && plain.includes(login.toLowerCase())))
    return { grade: 'common' };
  const bits = new Set(plain).size * Math.log2(kinds(password));
  if (bits < 38) return { grade: 'weak' };
  return { grade: bits < 62 && length < 16 ? 'fair' : 'strong' };
}

/** The size of the alphabet that the password seems to be drawn from. */
function kinds(password: string): number {
  let size = 0;
  if (/[a-z]/.test(password)) size += 26;
  if (/[A-Z]/.test(password)) size += 26;
  if (/\d/.test(password)) size += 10;
  if (/[^\p{ASCII}]/u.test(password)) size += 2000;
  if (/[!-/:-@[-`{-~ ]/.test(password)) size += 33;
  return size;
}
