/** Which of a flow's versions is live and which is being drawn. */
import type { FlowInfo, FlowVersion } from '../api/flows.ts';

/** Versions are told newest first: the first published one is what conversations run on. */
export const liveOf = ({ versions }: FlowInfo): FlowVersion | undefined =>
  versions.find(({ status }) => status === 'published');

export const draftOf = ({ versions }: FlowInfo): FlowVersion | undefined =>
  versions.find(({ status }) => status === 'draft');
