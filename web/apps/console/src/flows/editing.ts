/** The drawing under the hand, with undo and redo. Owns the steps; what a change is, is for `graph.ts`. */
import { useCallback, useReducer } from 'react';
import type { Graph } from '../api/flows.ts';
import { begin, type History, record, redo, undo } from './history.ts';

export type Change = (graph: Graph) => Graph;

type Action =
  | { readonly do: 'edit'; readonly change: Change; readonly what: string; readonly at: number }
  | { readonly do: 'undo' | 'redo' };

function after(history: History<Graph>, action: Action): History<Graph> {
  switch (action.do) {
    case 'undo':
      return undo(history);
    case 'redo':
      return redo(history);
    case 'edit':
      return record(history, action.change(history.present), action.at, action.what);
  }
}

export interface Editing {
  readonly graph: Graph;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** `what` names a change that goes on, such as typing into one field. */
  readonly edit: (change: Change, what?: string) => void;
  readonly undo: () => void;
  readonly redo: () => void;
}

export function useEditing(start: Graph): Editing {
  const [history, act] = useReducer(after, start, begin<Graph>);
  const edit = useCallback((change: Change, what = '') => {
    act({ do: 'edit', change, what, at: Date.now() });
  }, []);
  return {
    graph: history.present,
    canUndo: history.past.length > 0,
    canRedo: history.future.length > 0,
    edit,
    undo: useCallback(() => act({ do: 'undo' }), []),
    redo: useCallback(() => act({ do: 'redo' }), []),
  };
}
