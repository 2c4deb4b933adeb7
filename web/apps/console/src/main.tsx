/** The console's beginning: language and theme first, so that the first paint is right. */
import '@qingniao/ui/tokens.css';
import './theme/tokens.css';
import './theme/base.css';
import './parts/parts.css';
import './signin/signin.css';
import './shell/shell.css';
import './inbox/inbox.css';
import './inbox/rows.css';
import './chat/chat.css';
import './chat/bubbles.css';
import './chat/cards.css';
import './chat/composer.css';
import './visitor/panel.css';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { startLanguage } from './i18n/setup.ts';
import { startMode } from './theme/mode.ts';

const RELOADED = 'qingniao.console.reloaded';
const RELOAD_REST_MS = 60_000;

// After an update the parts of the old build are gone: fetch the new one, but never in a circle.
window.addEventListener('vite:preloadError', (event) => {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (Date.now() - last < RELOAD_REST_MS) return;
  event.preventDefault();
  sessionStorage.setItem(RELOADED, String(Date.now()));
  window.location.reload();
});

startMode();
await startLanguage();
const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(<App />);
