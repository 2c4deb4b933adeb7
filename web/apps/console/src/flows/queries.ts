/** What is asked of the server about flows, and for how long it is believed. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { listBots } from '../api/bots.ts';
import { listTeams } from '../api/calls.ts';
import { checkFlow, type FlowInfo, getFlow, listFlows, listKinds } from '../api/flows.ts';
import type { Names } from './words.ts';

const FLOWS = ['flows'] as const;
/** What is made elsewhere seldom changes while somebody draws. */
const ELSEWHERE_MS = 60_000;

export function useFlows() {
  return useQuery({ queryKey: FLOWS, queryFn: ({ signal }) => listFlows(signal) });
}

export function useKinds() {
  return useQuery({
    queryKey: ['flow-kinds'],
    queryFn: ({ signal }) => listKinds(signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** A version as it was when it was opened; 0: the newest. What is being drawn must not change underneath. */
export function useDrawing(flow: string, version: number) {
  return useQuery({
    queryKey: ['flow', flow, version],
    queryFn: ({ signal }) => getFlow(flow, version, signal),
    staleTime: version === 0 ? 0 : Number.POSITIVE_INFINITY,
    gcTime: version === 0 ? 0 : 300_000,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}

/** What somebody else made of the draft: asked beside the drawing at hand, which stays as it is. */
export function useTheirs(flow: string, isWanted: boolean) {
  return useQuery({
    queryKey: ['flow-theirs', flow],
    queryFn: ({ signal }) => getFlow(flow, 0, signal),
    enabled: isWanted,
    gcTime: 0,
  });
}

/** What is to mend in what is stored, before anything is changed. */
export function useFirstCheck(flow: string) {
  return useQuery({
    queryKey: ['flow-check', flow],
    queryFn: ({ signal }) => checkFlow(flow, signal),
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
}

export function useFlowsChanged() {
  const queries = useQueryClient();
  return (told?: FlowInfo) => {
    if (told !== undefined) {
      queries.setQueryData<readonly FlowInfo[]>(FLOWS, (held) =>
        held?.map((one) => (one.id === told.id ? told : one)),
      );
    }
    return queries.invalidateQueries({ queryKey: FLOWS });
  };
}

export function useNames(): Names {
  const elsewhere = { staleTime: ELSEWHERE_MS, refetchOnWindowFocus: false };
  const bots = useQuery({
    queryKey: ['bots'],
    queryFn: ({ signal }) => listBots(signal),
    ...elsewhere,
  });
  const teams = useQuery({
    queryKey: ['teams'],
    queryFn: ({ signal }) => listTeams(signal),
    ...elsewhere,
  });
  const flows = useFlows();
  return useMemo(
    () => ({
      bots: new Map(
        bots.data?.bots.flatMap(({ id, versions }) => {
          const shown = versions.find(({ status }) => status === 'published') ?? versions[0];
          return shown === undefined ? [] : [[id, shown.name] as const];
        }),
      ),
      flows: new Map(flows.data?.map(({ id, name }) => [id, name])),
      teams: new Map(teams.data?.map(({ id, name }) => [id, name])),
    }),
    [bots.data, flows.data, teams.data],
  );
}
