/** Text in pieces, some of which are addresses. Rule: only http and https, and only as text. */

export interface Piece {
  readonly text: string;
  /** Empty for plain text. */
  readonly href: string;
}

// Ends before CJK text and punctuation: Chinese sentences put no space after an address.
const ADDRESS = /https?:\/\/[^\s<>"'，。；：！？、（）《》「」【】\u4e00-\u9fff]+/gi;
const TRAILING = /[.,;:!?)\]}]+$/;

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = match[0].replace(TRAILING, '');
    if (!URL.canParse(address)) continue;
    if (match.index > at) found.push({ text: text.slice(at, match.index), href: '' });
    found.push({ text: address, href: address });
    at = match.index + address.length;
  }
  if (at < text.length) found.push({ text: text.slice(at), href: '' });
  return found;
}
