/**
 * Keeps the draft on the server while it is drawn. Owns when it is saved and what became of it; one request at a time.
 * Its one rule: nobody's draft is overwritten unseen: whoever else saved meanwhile makes this one stop and ask.
 */
import { useCallback, useEffect, useRef, useState } from 'react';
import { type FlowDrawing, type Graph, getFlow, type Problem, saveDraft } from '../api/flows.ts';
import { ApiError } from '../api/http.ts';

/** After the last change; a drag or a word is over by then. */
const AFTER_MS = 700;

export type Phase = 'saved' | 'dirty' | 'saving' | 'failed' | 'conflict';

export interface Saving {
  readonly phase: Phase;
  readonly fault: unknown;
  /** The draft's number; 0: there is none. */
  readonly draft: number;
  /** None yet: nothing was saved since it was opened. */
  readonly problems: readonly Problem[] | undefined;
  /** Save what is there; resolves when it is, with what tells the draft from others, or nothing if it is not. */
  readonly flush: () => Promise<number | undefined>;
  /** Save over whatever is there. */
  readonly overwrite: () => Promise<void>;
  /** The draft was published or dropped: the next change makes a new one. */
  readonly forget: () => void;
  /** What is unsaved is not wanted any more. */
  readonly abandon: () => void;
}

export function useSaving(drawing: FlowDrawing, graph: Graph, name: string): Saving {
  const isDraft = drawing.status === 'draft';
  const [state, setState] = useState<Omit<Saving, 'flush' | 'overwrite' | 'forget' | 'abandon'>>({
    phase: 'saved',
    fault: null,
    draft: isDraft ? drawing.version : 0,
    problems: undefined,
  });
  const began = useRef(isDraft ? drawing.updated : 0);
  const now = useRef({ graph, name });
  now.current = { graph, name };
  const stored = useRef({ graph, name });
  const under = useRef<Promise<number | undefined> | null>(null);
  const isStopped = useRef(false);

  const isClean = () =>
    stored.current.graph === now.current.graph && stored.current.name === now.current.name;

  const save = useCallback(async (): Promise<number | undefined> => {
    const flow = drawing.id;
    while (stored.current.graph !== now.current.graph || stored.current.name !== now.current.name) {
      const sent = now.current;
      setState((held) => ({ ...held, phase: 'saving', fault: null }));
      try {
        const told = await saveDraft(flow, sent.graph, sent.name, began.current);
        began.current = told.updated;
        stored.current = sent;
        setState((held) => ({ ...held, draft: told.version, problems: told.problems }));
      } catch (cause) {
        const isConflict = cause instanceof ApiError && cause.code === 'draft_changed';
        isStopped.current = isConflict;
        setState((held) => ({ ...held, phase: isConflict ? 'conflict' : 'failed', fault: cause }));
        return undefined;
      }
    }
    setState((held) => ({ ...held, phase: 'saved' }));
    return began.current;
  }, [drawing.id]);

  const flush = useCallback(() => {
    if (isStopped.current) return Promise.resolve(undefined);
    under.current ??= save().finally(() => {
      under.current = null;
    });
    return under.current;
  }, [save]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only a change of the drawing starts the clock
  useEffect(() => {
    if (isStopped.current) return;
    if (isClean()) {
      setState((held) => (held.phase === 'dirty' ? { ...held, phase: 'saved' } : held));
      return;
    }
    setState((held) => (held.phase === 'saving' ? held : { ...held, phase: 'dirty' }));
    const timer = setTimeout(() => void flush(), AFTER_MS);
    return () => clearTimeout(timer);
  }, [graph, name, flush]);

  useEffect(() => {
    const ask = (event: BeforeUnloadEvent) => {
      if (stored.current.graph !== now.current.graph) event.preventDefault();
    };
    window.addEventListener('beforeunload', ask);
    return () => {
      window.removeEventListener('beforeunload', ask);
      // Who leaves for another page takes nothing unsaved along.
      void flush();
    };
  }, [flush]);

  const overwrite = useCallback(async () => {
    try {
      const theirs = await getFlow(drawing.id, 0);
      began.current = theirs.status === 'draft' ? theirs.updated : 0;
    } catch (cause) {
      setState((held) => ({ ...held, fault: cause }));
      return;
    }
    isStopped.current = false;
    await flush();
  }, [drawing.id, flush]);

  const forget = useCallback(() => {
    began.current = 0;
    setState((held) => ({ ...held, draft: 0, phase: 'saved' }));
  }, []);

  const abandon = useCallback(() => {
    isStopped.current = true;
  }, []);

  return { ...state, flush, overwrite, forget, abandon };
}
