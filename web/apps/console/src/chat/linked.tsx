/** Text as people wrote it, with addresses that can be followed. Never HTML. */
import type { ReactNode } from 'react';

/** Only the characters of an address: Chinese text often follows without a space. */
const ADDRESS = /https?:\/\/[\w\-.~:/?#[\]@!$&'()*+,;=%]+/g;

/** Closing punctuation belongs to the sentence, not to the address. */
const trimmed = (address: string): string => address.replace(/[.,;:!?)\]]+$/, '');

export function Linked({ text }: { text: string }) {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    parts.push(text.slice(end, match.index));
    parts.push(
      <a key={match.index} href={address} target="_blank" rel="noopener noreferrer nofollow">
        {address}
      </a>,
    );
    end = match.index + address.length;
  }
  parts.push(text.slice(end));
  return <span className="said">{parts}</span>;
}
