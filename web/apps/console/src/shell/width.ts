/** How wide the window is, in the three steps that change the layout and not only the style. */
import { useSyncExternalStore } from 'react';

/** The visitor's panel fits beside the conversation. */
const wide = window.matchMedia('(width >= 1180px)');
/** One column at a time. */
const phone = window.matchMedia('(width < 720px)');

function useMedia(query: MediaQueryList): boolean {
  return useSyncExternalStore(
    (changed) => {
      query.addEventListener('change', changed);
      return () => query.removeEventListener('change', changed);
    },
    () => query.matches,
  );
}

export const useIsWide = (): boolean => useMedia(wide);
export const useIsPhone = (): boolean => useMedia(phone);
