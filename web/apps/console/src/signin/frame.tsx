/** The quiet two-part page around sign-in and the forced change of password. */
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { switchLanguage } from '../i18n/setup.ts';
import { Bird, Icon } from '../parts/icon.tsx';

export function Frame({ children }: { children: ReactNode }) {
  const { t, i18n } = useTranslation();
  const other = i18n.language === 'en' ? 'zh-CN' : 'en';
  return (
    <div className="gate">
      <aside className="gate-side">
        <span className="gate-brand">
          <Bird size={34} />
          {t('product')}
        </span>
        <div>
          <p className="gate-pitch">{t('signin.pitch')}</p>
          <ul className="gate-points">
            {(['signin.pitch_1', 'signin.pitch_2', 'signin.pitch_3'] as const).map((key) => (
              <li key={key}>
                <Icon name="check" size={16} />
                {t(key)}
              </li>
            ))}
          </ul>
        </div>
        <span />
      </aside>
      <main className="gate-main">
        <button
          type="button"
          className="gate-language plain-button"
          lang={other}
          onClick={() => void switchLanguage(other)}
        >
          <Icon name="globe" size={16} />
          {other === 'en' ? 'English' : '中文'}
        </button>
        <div className="gate-card">{children}</div>
      </main>
    </div>
  );
}
