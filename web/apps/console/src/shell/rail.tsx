/** Where one can go: a dark rail at the left, or a bar at the foot of a phone. */
import { useTranslation } from 'react-i18next';
import type { User } from '../api/types.ts';
import { badge } from '../format/names.ts';
import { useLink } from '../live/context.tsx';
import { Avatar } from '../parts/avatar.tsx';
import { Bird, Icon, type IconName } from '../parts/icon.tsx';
import { BOTS, FLOWS, HOME, type Page, type Route } from '../router/route.ts';
import { linkTo } from '../router/router.ts';

interface Item {
  readonly page: Page;
  readonly icon: IconName;
  readonly route: Route;
}

const ITEMS: readonly Item[] = [
  { page: 'inbox', icon: 'inbox', route: HOME },
  { page: 'knowledge', icon: 'book', route: { name: 'knowledge' } },
  { page: 'bots', icon: 'bot', route: BOTS },
  { page: 'flows', icon: 'flow', route: FLOWS },
  { page: 'team', icon: 'team', route: { name: 'team' } },
];

/** What only administrators look after. */
const ADMIN: ReadonlySet<Page> = new Set(['bots', 'flows', 'team']);

interface RailProps {
  readonly user: User;
  readonly page: Page;
  /** How many conversations want me now. */
  readonly calls: number;
  readonly onKeys: () => void;
}

export function Rail({ user, page, calls, onKeys }: RailProps) {
  const { t } = useTranslation();
  const link = useLink();
  const items = ITEMS.filter((item) => !ADMIN.has(item.page) || user.role === 'admin');
  return (
    <nav className="rail" aria-label={t('nav.label')}>
      <span className="rail-bird">
        <Bird size={28} />
      </span>
      {items.map((item) => (
        <a
          key={item.page}
          className={item.page === page ? 'rail-item rail-on' : 'rail-item'}
          aria-current={item.page === page ? 'page' : undefined}
          title={t(`nav.${item.page}`)}
          {...linkTo(item.route)}
        >
          <Icon name={item.icon} size={21} />
          <span className="rail-word">{t(`nav.${item.page}`)}</span>
          {item.page === 'inbox' && calls > 0 && (
            <span className="rail-badge">
              <span aria-hidden="true">{badge(calls)}</span>
              <span className="hidden-text">{t('nav.unread', { count: calls })}</span>
            </span>
          )}
        </a>
      ))}
      <span className="rail-space" />
      <button
        type="button"
        className="rail-item rail-keys"
        aria-label={t('nav.shortcuts')}
        title={`${t('nav.shortcuts')} ?`}
        onClick={onKeys}
      >
        <Icon name="keys" size={21} />
      </button>
      <a
        className={page === 'settings' ? 'rail-item rail-me rail-on' : 'rail-item rail-me'}
        aria-current={page === 'settings' ? 'page' : undefined}
        title={`${user.name} · ${t('nav.settings')}`}
        {...linkTo({ name: 'settings' })}
      >
        <Avatar
          id={`a${user.id}`}
          name={user.name}
          size={32}
          online={link.phase === 'online' && user.accepting}
        />
        <span className="rail-word rail-word-me">{t('nav.me')}</span>
      </a>
    </nav>
  );
}
