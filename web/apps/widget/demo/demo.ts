/** The shop's only script: shows the snippet with this server's own address, and copies it. */

const snippet = document.getElementById('snippet');
const copy = document.getElementById('copy');

if (snippet && copy) {
  snippet.textContent = `<script src="${location.origin}/widget.js" async></script>`;
  copy.onclick = async () => {
    const before = copy.textContent;
    try {
      await navigator.clipboard.writeText(snippet.textContent ?? '');
      copy.textContent = copy.dataset.done ?? before;
      setTimeout(() => {
        copy.textContent = before;
      }, 2_000);
    } catch {
      // Without permission for the clipboard: select it, so that one key copies.
      getSelection()?.selectAllChildren(snippet);
    }
  };
}
