/** Keys and the clipboard over the canvas. Owns when a key means the drawing: never in a field, a dialog or a selected text. */
import { useEffect, useRef } from 'react';

export interface Hands {
  readonly copy: () => string | undefined;
  readonly cut: () => string | undefined;
  readonly paste: (text: string) => boolean;
  readonly duplicate: () => void;
  readonly undo: () => void;
  readonly redo: () => void;
  readonly all: () => void;
  readonly find: () => void;
}

function isElsewhere(target: EventTarget | null): boolean {
  const element = target instanceof Element ? target : null;
  if (element?.closest('input, textarea, select, [contenteditable]') != null) return true;
  if (document.querySelector('[role="dialog"]') !== null) return true;
  return (document.getSelection()?.toString() ?? '') !== '';
}

export function useHands(hands: Hands, isOff: boolean): void {
  const now = useRef(hands);
  now.current = hands;
  useEffect(() => {
    if (isOff) return;
    const take = (event: ClipboardEvent, text: string | undefined) => {
      if (text === undefined) return;
      event.clipboardData?.setData('text/plain', text);
      event.preventDefault();
    };
    const copy = (event: ClipboardEvent) => {
      if (!isElsewhere(event.target)) take(event, now.current.copy());
    };
    const cut = (event: ClipboardEvent) => {
      if (!isElsewhere(event.target)) take(event, now.current.cut());
    };
    const paste = (event: ClipboardEvent) => {
      if (isElsewhere(event.target)) return;
      if (now.current.paste(event.clipboardData?.getData('text/plain') ?? ''))
        event.preventDefault();
    };
    const press = (event: KeyboardEvent) => {
      if (isElsewhere(event.target) || event.altKey) return;
      const done = keyed(event, now.current);
      if (done) event.preventDefault();
    };
    document.addEventListener('copy', copy);
    document.addEventListener('cut', cut);
    document.addEventListener('paste', paste);
    window.addEventListener('keydown', press);
    return () => {
      document.removeEventListener('copy', copy);
      document.removeEventListener('cut', cut);
      document.removeEventListener('paste', paste);
      window.removeEventListener('keydown', press);
    };
  }, [isOff]);
}

function keyed(event: KeyboardEvent, hands: Hands): boolean {
  const key = event.key.toLowerCase();
  if (!(event.metaKey || event.ctrlKey)) {
    if (key !== '/') return false;
    hands.find();
    return true;
  }
  if (key === 'z') event.shiftKey ? hands.redo() : hands.undo();
  else if (key === 'y') hands.redo();
  else if (key === 'd') hands.duplicate();
  else if (key === 'a') hands.all();
  else return false;
  return true;
}
