/** What a person is called and in which colour they appear. Pure. */
import type { TFunction } from 'i18next';

/** A visitor's name, or 访客 and the first four characters of the id. */
export function visitorName(visitor: { id: string; name: string }, t: TFunction): string {
  const name = visitor.name.trim();
  return name === '' ? t('visitor.nameless', { id: visitor.id.slice(0, 4).toUpperCase() }) : name;
}

/** The one character in an avatar: the first that a reader would call a character. */
export function initial(name: string): string {
  const [first] = new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(name.trim());
  return (first?.segment ?? '?').toLocaleUpperCase();
}

/** How many avatar colours the theme has: `--avatar-0` to `--avatar-7`. */
export const AVATAR_COLOURS = 8;

/** The same id has the same colour on every screen (FNV-1a). */
export function colourOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i += 1) {
    hash ^= id.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % AVATAR_COLOURS;
}

/** 99 and above look alike: the exact number no longer helps. */
export function badge(count: number): string {
  return count > 99 ? '99+' : String(count);
}
