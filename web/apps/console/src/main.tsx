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

startMode();
await startLanguage();
const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(<App />);
