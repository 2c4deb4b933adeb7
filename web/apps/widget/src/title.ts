/** The page's title while it is out of sight and something new was said. Rule: it is given back. */

/** Answers a function that shows how many are unread; 0 restores the title. */
export function createTitleFlag(text: (unread: number) => string): (unread: number) => void {
  let original: string | null = null;
  return (unread) => {
    if (unread > 0) {
      original ??= document.title;
      document.title = text(unread);
    } else if (original !== null) {
      document.title = original;
      original = null;
    }
  };
}
