/** What everything stands on: queries, antd's theme and locale, and the gate that only lets signed-in people through. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { ConfigProvider } from 'antd';
import { type ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from './api/http.ts';
import { switchLanguage } from './i18n/setup.ts';
import { Fault } from './parts/fault.tsx';
import { Bird } from './parts/icon.tsx';
import { Toasts } from './parts/toast.tsx';
import { Shell } from './shell/shell.tsx';
import { Frame } from './signin/frame.tsx';
import { NewPassword } from './signin/new-password.tsx';
import { useSession, watchSession } from './signin/session.ts';
import { SignIn } from './signin/sign-in.tsx';
import { themeFor } from './theme/antd.ts';
import { useIsCalm, useIsDark } from './theme/mode.ts';

const RETRIES = 2;

function newQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // What the server refused it will refuse again; what did not arrive may arrive.
        retry: (count, error) =>
          count < RETRIES &&
          error instanceof ApiError &&
          error.temporary &&
          error.code !== 'timeout',
        refetchOnWindowFocus: false,
      },
      mutations: { networkMode: 'always' },
    },
  });
}

export function App() {
  const [queries] = useState(newQueries);
  const isDark = useIsDark();
  const isCalm = useIsCalm();
  useEffect(() => watchSession(queries), [queries]);
  return (
    <QueryClientProvider client={queries}>
      <ConfigProvider theme={themeFor(isDark, isCalm)} button={{ autoInsertSpace: false }}>
        <Gate />
        <Toasts />
      </ConfigProvider>
    </QueryClientProvider>
  );
}

function Gate(): ReactNode {
  const session = useSession();
  const user = session.data;
  const { t } = useTranslation();
  const locale = user?.locale;
  useEffect(() => {
    if (locale !== undefined) void switchLanguage(locale);
  }, [locale]);

  if (session.isPending) {
    return (
      <main className="splash" aria-busy="true">
        <Bird size={44} />
        <span className="hidden-text">{t('common.loading')}</span>
      </main>
    );
  }
  if (user === undefined) {
    return (
      <main className="splash">
        <h1 className="hidden-text">{t('title')}</h1>
        <Fault error={session.error} retry={() => void session.refetch()} />
      </main>
    );
  }
  if (user === null) return <SignIn />;
  if (user.must_change_password) {
    return (
      <Frame>
        <NewPassword user={user} />
      </Frame>
    );
  }
  return <Shell user={user} />;
}
