/** What the flow did, in words. Pure but for the words. */
import type { TFunction } from 'i18next';
import i18next from 'i18next';
import { whyText } from '../inbox/why.ts';
import type { Stage } from './bodies.ts';

/** Every message passes these; they say something only when they stop it. */
const QUIET = ['start', 'end', 'say'];

function word(key: string, raw: string, t: TFunction): string {
  return i18next.exists(key) ? t(key as 'step.kind.start') : raw;
}

/** What a stage is called. */
export function stageName(stage: Stage, t: TFunction): string {
  return word(`step.kind.${stage.kind}`, stage.kind, t);
}

/** What a stage decided: the intent, how sure it was, the way out; empty when there was nothing to decide. */
export function stageVerdict(stage: Stage, t: TFunction): string {
  const facts = new Map(stage.facts);
  const intent = facts.get('intent');
  const why = facts.get('why');
  const parts = [
    intent === undefined ? '' : word(`step.intent.${intent}`, intent, t),
    stage.kind === 'handoff' && why !== undefined ? whyText(why, t) : '',
    facts.get('team') ?? '',
    stage.port === '' ? '' : word(`step.port.${stage.port}`, '', t),
    facts.get('confidence') ?? '',
  ];
  return parts.filter(Boolean).join(' ');
}

/** What the verdict and the answer's card say already. */
const SAID = ['intent', 'confidence', 'verdict', 'took_ms', 'why', 'team'];

/** The other facts, each with its name. */
export function stageFacts(stage: Stage, t: TFunction): readonly (readonly [string, string])[] {
  return stage.facts
    .filter(([name]) => !SAID.includes(name) || (name === 'why' && stage.kind !== 'handoff'))
    .map(([name, value]) => [word(`step.fact.${name}`, name, t), value] as const);
}

/** One line that says how the message was dealt with: `意图 提问 0.99 → 知识库 有把握 0.93 → 回答 已答`. */
export function traceLine(stages: readonly Stage[], t: TFunction): string {
  return stages
    .filter((stage) => !QUIET.includes(stage.kind))
    .filter((stage) => !(stage.kind === 'sensitive' && stage.port === 'passed'))
    .map((stage) => [stageName(stage, t), stageVerdict(stage, t)].filter(Boolean).join(' '))
    .join(' → ');
}
