/**
 * What things of a flow are called. Owns the words that only this page needs, loaded with it and not before.
 * Its one rule: what the server knows and this file does not is shown by its own name, never as a missing word.
 */
import i18next, { type TFunction } from 'i18next';
import type { FlowNode, FlowStep, Settings, Texts } from '../api/flows.ts';
import { itemsOf, type Way } from './ports.ts';
import en from './words/en.json';
import zh from './words/zh-CN.json';

export const NS = 'flows' as const;
export type Words = TFunction<'flows'>;

export function loadWords(): void {
  i18next.addResourceBundle('zh-CN', NS, zh);
  i18next.addResourceBundle('en', NS, en);
}

/** A word that may not be there. */
function maybe(key: string, options: Record<string, unknown> = {}): string | undefined {
  const within = { ...options, ns: NS } as const;
  return i18next.exists(key, { ns: NS })
    ? String(i18next.t(key as never, within as never))
    : undefined;
}

function must(key: string, options: Record<string, unknown> = {}): string {
  return maybe(key, options) ?? '';
}

/** The text for a language, else the default's, else any. */
export function pick(texts: Texts | undefined, language: string): string {
  if (texts === undefined) return '';
  return (
    texts[language] || texts['zh-CN'] || Object.values(texts).find((text) => text !== '') || ''
  );
}

export function textsIn(value: unknown): Texts {
  if (typeof value !== 'object' || value === null) return {};
  const kept = Object.entries(value).filter(([, text]) => typeof text === 'string');
  return Object.fromEntries(kept) as Texts;
}

export const kindName = (kind: string): string => maybe(`kinds.${kind}`) ?? kind;

export const kindAbout = (kind: string, told: string): string => maybe(`abouts.${kind}`) ?? told;

export function nodeName(node: FlowNode | undefined, language: string): string {
  if (node === undefined) return '';
  return pick(node.title, language) || kindName(node.kind);
}

export const portName = (kind: string, port: string): string =>
  maybe(`ports_of.${kind}.${port}`) ?? maybe(`ports.${port}`) ?? port;

export function wayName(kind: string, way: Way, language: string): string {
  return way.item === undefined
    ? portName(kind, way.name)
    : itemName(way.item, language) || portName(kind, way.name);
}

/** What the item of a list says by which one leaves. */
function itemName(item: Settings, language: string): string {
  const label = pick(textsIn(item.label), language);
  if (label !== '') return label;
  const { intents, on, tests, weight } = item;
  if (Array.isArray(intents)) return intents.join(i18next.language === 'en' ? ', ' : '、');
  if (typeof on === 'string') return triggerName(on, item);
  if (Array.isArray(tests)) return itemsOf(tests).map(testName).join(' · ');
  // A share: how many parts it gets of the visitors.
  return item.port === undefined || tests !== undefined ? '' : `× ${String(weight ?? 1)}`;
}

function triggerName(on: string, item: Settings): string {
  const words = on === 'keyword' ? item.words : on === 'page' ? item.pages : undefined;
  if (Array.isArray(words) && words.length > 0) return words.join(' / ');
  return choiceName('on', on);
}

function testName(test: Settings): string {
  const values = Array.isArray(test.values) ? test.values.join(' / ') : '';
  const op = choiceName('op', String(test.op ?? 'is'));
  return [String(test.name ?? ''), op, String(test.value ?? '') || values].join(' ').trim();
}

export const fieldName = (kind: string, field: string): string =>
  maybe(`fields_of.${kind}.${field}`) ?? maybe(`fields.${field}`) ?? field;

export function fieldHelp(kind: string, field: string): string | undefined {
  const holes = { brace: '{{phone}}', secret: '{{secret.shop}}' };
  return maybe(`helps_of.${kind}.${field}`, holes) ?? maybe(`helps.${field}`, holes);
}

export const choiceName = (field: string, value: string): string =>
  maybe(`choices.${field}.${value}`) ?? value;

export const reasonName = (why: string): string => choiceName('why', why);

/** Names of what is made elsewhere, by id. */
export interface Names {
  readonly bots: ReadonlyMap<string, string>;
  readonly flows: ReadonlyMap<string, string>;
  readonly teams: ReadonlyMap<number, string>;
}

export function spanName(seconds: number): string {
  if (seconds >= 7_200) return must('summary.hours', { count: Math.round(seconds / 3_600) });
  if (seconds >= 120) return must('summary.minutes', { count: Math.round(seconds / 60) });
  return must('summary.seconds', { count: seconds });
}

/** A node's settings in a line, for whoever looks at the whole. */
export function summaryOf(node: FlowNode, names: Names, language: string): string {
  const { kind, settings = {} } = node;
  const text = () => pick(textsIn(settings.text), language) || must('summary.no_text');
  const bot = (id: unknown) => names.bots.get(String(id)) ?? String(id);
  const value = (name: string, usual: number) => String(settings[name] ?? usual);
  switch (kind) {
    case 'start': {
      const count = itemsOf(settings.triggers).length;
      if (count > 0) return must('summary.triggers', { count });
      return must(settings.catches === false ? 'summary.silent' : 'summary.begin');
    }
    case 'say':
    case 'buttons':
    case 'cards':
    case 'rating':
    case 'ask_back':
      return text();
    case 'ask':
      return `${text()} · ${must('summary.into', { name: settings.into ?? '' })}`;
    case 'sensitive':
      return must('summary.words');
    case 'intent':
      return settings.judge
        ? must('summary.judge', { bot: bot(settings.judge) })
        : must('summary.threshold', { value: value('threshold', 0.6) });
    case 'knowledge':
      return must('summary.sure', { value: value('sure_at', 0.5) });
    case 'answer':
      return settings.bot ? bot(settings.bot) : must('summary.bot_usual');
    case 'wait':
      return spanName(Number(settings.for_s ?? 0));
    case 'http':
      return settings.url
        ? `${String(settings.method ?? 'GET')} ${String(settings.url)}`
        : must('summary.no_url');
    case 'set':
      return Object.keys({ ...textsIn(settings.variables), ...textsIn(settings.attributes) }).join(
        ', ',
      );
    case 'subflow':
      return settings.flow
        ? (names.flows.get(String(settings.flow)) ?? String(settings.flow))
        : must('summary.no_flow');
    case 'handoff':
      return `${reasonName(String(settings.why ?? ''))} · ${toWhom(settings, names)}`;
    case 'end':
      return must('summary.ends');
    default:
      return '';
  }
}

function toWhom(settings: Settings, names: Names): string {
  if (settings.router) {
    const id = String(settings.router);
    return must('summary.router', { bot: names.bots.get(id) ?? id });
  }
  const team = Number(settings.team ?? 0);
  return team === 0
    ? must('summary.everybody')
    : must('summary.team', { team: names.teams.get(team) ?? team });
}

/** What decided at a step, in a line. */
export function noteOf(step: FlowStep): string {
  const said = Object.entries(step.note).flatMap(([name, value]) => {
    const words = maybe(`note.${name}`, { value: noteValue(name, value) });
    return words === undefined ? [] : [words];
  });
  return said.join(' · ');
}

function noteValue(name: string, value: unknown): string {
  if (name === 'verdict') return maybe(`verdicts.${String(value)}`) ?? String(value);
  if (name === 'why' && typeof value === 'string') return reasonName(value);
  if (name === 'hits' && Array.isArray(value)) return String(value.length);
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'number' ? String(Math.round(value * 100) / 100) : String(value);
}
