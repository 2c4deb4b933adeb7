/** What every part of the editor reads: the kinds, the names of things made elsewhere. Rule: it seldom changes. */
import { createContext, useContext } from 'react';
import type { Kinds } from './ports.ts';
import type { Names } from './words.ts';

export interface Desk {
  readonly kinds: Kinds;
  readonly names: Names;
  /** This flow's id: it cannot call itself. */
  readonly flow: string;
  /** Look, do not touch. */
  readonly isReadOnly: boolean;
}

const Context = createContext<Desk | null>(null);

export const DeskProvider = Context.Provider;

export function useDesk(): Desk {
  const desk = useContext(Context);
  if (desk === null) throw new Error('no desk around this');
  return desk;
}
