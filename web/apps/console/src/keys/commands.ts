/** Key presses to handlers. Owns the one listener; whoever can do something says so with `useCommands` while mounted. */
import { useEffect, useRef } from 'react';
import { type Command, commandOf } from './shortcuts.ts';

export type Handlers = { readonly [name in Command]?: () => void };

/** The latest mounted comes first. */
const stack: { current: Handlers }[] = [];

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented) return;
  const target = event.target instanceof Element ? event.target : null;
  const command = commandOf({
    key: event.key,
    ctrlKey: event.ctrlKey,
    metaKey: event.metaKey,
    altKey: event.altKey,
    isComposing: event.isComposing,
    inField: target?.closest('input, textarea, select, [contenteditable]') != null,
    inDialog: document.querySelector('[role="dialog"]') !== null,
  });
  if (command === null) return;
  const handler = stack.findLast((one) => one.current[command] !== undefined)?.current[command];
  if (handler === undefined) return;
  event.preventDefault();
  handler();
}

export function useCommands(handlers: Handlers): void {
  const slot = useRef(handlers);
  slot.current = handlers;
  useEffect(() => {
    if (stack.length === 0) window.addEventListener('keydown', onKeyDown);
    stack.push(slot);
    return () => {
      stack.splice(stack.indexOf(slot), 1);
      if (stack.length === 0) window.removeEventListener('keydown', onKeyDown);
    };
  }, []);
}
