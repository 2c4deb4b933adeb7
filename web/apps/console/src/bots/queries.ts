/** What is asked of the server about bots, and for how long it is believed. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type Bot, type BotList, checkBot, listBots } from '../api/bots.ts';

const BOTS = ['bots'] as const;
/** Figures and failures are written down every few seconds; nobody needs them sooner than this. */
const REFRESH_MS = 10_000;
/** A check costs the platform a request. */
const CHECK_MS = 60_000;

export function useBots() {
  return useQuery({
    queryKey: BOTS,
    queryFn: ({ signal }) => listBots(signal),
    refetchInterval: REFRESH_MS,
  });
}

/** How the platform says it is, now. `stamp` changes whenever an older answer is worth nothing. */
export function useCheck(bot: string, version: number, stamp: string, isWanted: boolean) {
  return useQuery({
    queryKey: ['bot-check', bot, version, stamp],
    queryFn: ({ signal }) => checkBot(bot, version, signal),
    enabled: isWanted,
    staleTime: CHECK_MS,
    refetchInterval: CHECK_MS,
    // A check that failed is an answer; that it could not be asked shows in the list already.
    retry: false,
  });
}

/** What to do when a bot has changed: it is shown at once, the rest is read again. */
export function useBotChanged() {
  const queries = useQueryClient();
  return (bot?: Bot) => {
    if (bot !== undefined) {
      queries.setQueryData<BotList>(
        BOTS,
        (held) => held && { ...held, bots: withBot(held.bots, bot) },
      );
    }
    return queries.invalidateQueries({ queryKey: BOTS });
  };
}

function withBot(bots: readonly Bot[], bot: Bot): readonly Bot[] {
  const isKnown = bots.some(({ id }) => id === bot.id);
  return isKnown ? bots.map((one) => (one.id === bot.id ? bot : one)) : [...bots, bot];
}
