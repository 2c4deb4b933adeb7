/** Files dragged onto the panel. Rule: text and everything else is left to the page. */

/** Shows `hint` while files hover over `box`, and passes them on when they fall. */
export function acceptDrops(
  box: HTMLElement,
  hint: string,
  take: (files: Iterable<File>) => void,
): void {
  const on = (type: 'dragover' | 'dragleave' | 'drop', hover: string | undefined): void =>
    box.addEventListener(type, (event) => {
      const data = event.dataTransfer;
      if (!data?.types.includes('Files')) return;
      event.preventDefault();
      if (hover) box.dataset.drop = hover;
      else delete box.dataset.drop;
      if (type === 'drop') take(data.files);
    });
  on('dragover', hint);
  on('dragleave', undefined);
  on('drop', undefined);
}
