/** The panel at the right: one thing at a time, chosen by tabs. On a phone it lies over the canvas. */
import type { KeyboardEvent, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '../parts/icon.tsx';

export type Panel = 'node' | 'try' | 'findings' | 'versions' | 'outline';

const PANELS: readonly Panel[] = ['node', 'try', 'findings', 'versions', 'outline'];

interface SideProps {
  readonly shown: Panel;
  readonly badge: number;
  readonly onShow: (panel: Panel) => void;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function Side({ shown, badge, onShow, onClose, children }: SideProps) {
  const { t } = useTranslation('flows');
  const press = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const at = (PANELS.indexOf(shown) + step + PANELS.length) % PANELS.length;
    const next = PANELS[at] ?? shown;
    onShow(next);
    document.getElementById(`flow-tab-${next}`)?.focus();
  };
  return (
    <aside className="flow-side" aria-label={t('panel.label')}>
      <div className="flow-tabs">
        <div role="tablist" onKeyDown={press}>
          {PANELS.map((panel) => (
            <button
              key={panel}
              type="button"
              role="tab"
              id={`flow-tab-${panel}`}
              aria-selected={panel === shown}
              aria-controls="flow-tab-panel"
              tabIndex={panel === shown ? 0 : -1}
              onClick={() => onShow(panel)}
            >
              {t(`panel.${panel}`)}
              {panel === 'findings' && badge > 0 && <span className="flow-badge">{badge}</span>}
            </button>
          ))}
        </div>
        <button
          type="button"
          className="flow-icon-button"
          aria-label={t('panel.close')}
          title={t('panel.close')}
          onClick={onClose}
        >
          <Icon name="close" size={16} />
        </button>
      </div>
      <div
        className="flow-side-body"
        role="tabpanel"
        id="flow-tab-panel"
        aria-labelledby={`flow-tab-${shown}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard
        tabIndex={0}
      >
        {children}
      </div>
    </aside>
  );
}
