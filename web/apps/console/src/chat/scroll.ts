/**
 * Where the transcript stands. Owns the scroll position: at the end it stays at the end, anywhere else nothing that
 * arrives moves what is being read, older messages above included.
 */
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** This close to the end counts as at the end. */
const NEAR_PX = 48;
/** This close to the top, the page before is asked for. */
const EARLY_PX = 400;

export interface Scroll {
  readonly box: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  readonly isAtEnd: boolean;
  toEnd(): void;
}

/** `first` is the first `seq` on screen: when it falls, older entries came in above. */
export function useScroll(first: number, onEarly: () => void): Scroll {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const before = useRef({ first, height: 0, top: 0 });
  const pinned = useRef(true);
  const [isAtEnd, setAtEnd] = useState(true);
  const early = useRef(onEarly);
  early.current = onEarly;

  const toEnd = useCallback(() => {
    const element = box.current;
    if (element === null) return;
    pinned.current = true;
    element.scrollTop = element.scrollHeight;
    setAtEnd(true);
  }, []);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const { first: held, height, top } = before.current;
    if (pinned.current) element.scrollTop = element.scrollHeight;
    else if (held > 0 && first < held) element.scrollTop = top + (element.scrollHeight - height);
    before.current = { first, height: element.scrollHeight, top: element.scrollTop };
  });

  useEffect(() => {
    const element = box.current;
    const inner = content.current;
    if (element === null || inner === null) return;
    const look = () => {
      const left = element.scrollHeight - element.clientHeight - element.scrollTop;
      pinned.current = left < NEAR_PX;
      setAtEnd(pinned.current);
      before.current = { ...before.current, height: element.scrollHeight, top: element.scrollTop };
      if (element.scrollTop < EARLY_PX) early.current();
    };
    element.addEventListener('scroll', look, { passive: true });
    // Pictures, folded-out reasons and the on-screen keyboard change heights without a render of ours.
    const observer = new ResizeObserver(() => {
      if (pinned.current) element.scrollTop = element.scrollHeight;
      if (element.scrollHeight <= element.clientHeight + EARLY_PX) early.current();
    });
    observer.observe(inner);
    observer.observe(element);
    return () => {
      element.removeEventListener('scroll', look);
      observer.disconnect();
    };
  }, []);

  return { box, content, isAtEnd, toEnd };
}
