/**
 * A bot as a form: from what is stored to fields, what is wrong with them, and back to a draft. Owns the rules; draws
 * nothing. Its one rule: settings that this page does not know are kept as they are.
 */
import type { Bot, BotChange, BotVersion } from '../api/bots.ts';
import {
  type FieldSpec,
  PLATFORMS,
  type PlatformName,
  POLICY,
  PROOF,
  platformOf,
} from './platforms.ts';

/** What happens to a secret: it stays as it is stored, is replaced by what was entered, or goes. */
export type SecretDraft =
  | { readonly mode: 'kept' }
  | { readonly mode: 'entered'; readonly text: string }
  | { readonly mode: 'removed' };

export interface BotForm {
  readonly id: string;
  readonly kind: PlatformName;
  readonly name: string;
  readonly note: string;
  /** Everything but secrets, as it is typed; an empty one is the server's default. */
  readonly values: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, SecretDraft>>;
  readonly policy: Readonly<Record<string, string>>;
  /** Who is asked in turn when this one fails. */
  readonly spares: readonly string[];
}

/** What is wrong, by field: `name`, `id`, a setting, `policy.idle_s`, or `form`. A key of `bots.wrong`. */
export type Fault =
  | 'need_name'
  | 'need_id'
  | 'bad_id'
  | 'taken_id'
  | 'need'
  | 'need_secret'
  | 'bad_url'
  | 'bad_number'
  | 'bad_whole'
  | 'bad_json'
  | 'line_break';
export type Faults = Readonly<Record<string, Fault>>;

/** What is unusual and may be meant. A key of `bots.odd`. */
export type Oddity =
  | 'prefix'
  | 'dify_url'
  | 'fastgpt_url'
  | 'coze_url'
  | 'openai_url'
  | 'plain_http';

const ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const HOUSE = 'local';
/** The name of the stand-ins in a policy. */
const THEN = 'then';

export function specsOf(kind: string): readonly FieldSpec[] {
  return platformOf(kind)?.fields ?? [];
}

/** Whether a field stands in the form now, by what the others say. */
export function isShown(spec: FieldSpec, form: BotForm): boolean {
  if (spec.when === undefined) return true;
  const [field, wanted] = spec.when;
  const other = specsOf(form.kind).find(({ name, secret }) => name === field && secret !== true);
  return (form.values[field] || other?.standard || '') === wanted;
}

/** Which platform a secret was entered for: scheme, host and port, as the server tells them apart. */
export function originOf(form: BotForm): string {
  const spec = specsOf(form.kind).find(({ name }) => name === 'base_url');
  const text = form.values.base_url?.trim() || spec?.standard || '';
  try {
    const { protocol, hostname, port } = new URL(text);
    return `${protocol}//${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
  } catch {
    return '';
  }
}

/** A new bot of a platform, under an id that nobody has. */
export function emptyForm(kind: PlatformName, taken: readonly string[]): BotForm {
  return {
    id: freeId(kind === 'remote' ? 'bot' : kind, taken),
    kind,
    name: '',
    note: '',
    values: {},
    secrets: {},
    policy: {},
    spares: [HOUSE],
  };
}

export function freeId(wish: string, taken: readonly string[]): string {
  if (!taken.includes(wish)) return wish;
  for (let number = 2; ; number += 1) {
    if (!taken.includes(`${wish}-${number}`)) return `${wish}-${number}`;
  }
}

/** A stored version as a form. Its secrets stay where they are. */
export function formOf(bot: Bot, version: BotVersion): BotForm {
  const values: Record<string, string> = {};
  for (const spec of specsOf(version.kind)) {
    if (spec.secret === true || spec.name === PROOF) continue;
    const stored = version.settings[spec.name];
    if (stored === undefined || stored === null) continue;
    values[spec.name] = typeof stored === 'object' ? JSON.stringify(stored) : String(stored);
  }
  if (version.kind === 'coze' && (version.settings.app || version.settings.key_id))
    values[PROOF] = 'app';
  const policy: Record<string, string> = {};
  for (const { name } of POLICY) {
    const stored = version.policy[name];
    if (typeof stored === 'number') policy[name] = String(stored);
  }
  const spares = version.policy[THEN];
  return {
    id: bot.id,
    kind: (platformOf(version.kind)?.name ?? PLATFORMS[0]?.name ?? 'dify') as PlatformName,
    name: version.name,
    note: version.status === 'draft' ? version.note : '',
    values,
    secrets: {},
    policy,
    spares: Array.isArray(spares) ? spares.map(String) : [],
  };
}

/** Is there a secret, stored for this address or entered now? */
export function hasSecret(field: string, form: BotForm, held: readonly string[]): boolean {
  const draft = form.secrets[field];
  if (draft?.mode === 'entered') return draft.text.trim() !== '';
  return draft?.mode !== 'removed' && held.includes(field);
}

/** `held`: the secrets that are stored for the address that the form has now. `taken`: ids of others. */
export function faultsOf(form: BotForm, held: readonly string[], taken: readonly string[]): Faults {
  const found: Record<string, Fault> = {};
  if (form.name.trim() === '') found.name = 'need_name';
  if (form.id.trim() === '') found.id = 'need_id';
  else if (!ID.test(form.id) || form.id === HOUSE) found.id = 'bad_id';
  else if (taken.includes(form.id)) found.id = 'taken_id';
  for (const spec of specsOf(form.kind)) {
    if (!isShown(spec, form)) continue;
    const fault = spec.secret === true ? secretFault(spec, form, held) : valueFault(spec, form);
    if (fault !== undefined) found[keyOf(spec)] = fault;
  }
  for (const { name, whole } of POLICY) {
    const text = form.policy[name]?.trim() ?? '';
    const number = Number(text);
    if (text === '') continue;
    if (!Number.isFinite(number) || number < 0) found[`policy.${name}`] = 'bad_number';
    else if (whole === true && !Number.isInteger(number)) found[`policy.${name}`] = 'bad_whole';
  }
  return found;
}

/** Secrets and settings may have one name (Coze's `app`); in faults and ids they are apart. */
export function keyOf(spec: FieldSpec): string {
  return spec.secret === true ? `secret.${spec.name}` : spec.name;
}

function secretFault(spec: FieldSpec, form: BotForm, held: readonly string[]): Fault | undefined {
  const draft = form.secrets[spec.name];
  if (draft?.mode === 'entered' && spec.kind !== 'long' && /\s/.test(draft.text.trim()))
    return 'line_break';
  if (spec.required === true && !hasSecret(spec.name, form, held)) return 'need_secret';
  return undefined;
}

function valueFault(spec: FieldSpec, form: BotForm): Fault | undefined {
  const text = form.values[spec.name]?.trim() ?? '';
  if (text === '') return spec.required === true ? 'need' : undefined;
  switch (spec.kind) {
    case 'url':
      return isAddress(text) ? undefined : 'bad_url';
    case 'number':
      if (!Number.isFinite(Number(text)) || Number(text) < 0) return 'bad_number';
      return isWhole(spec) && !Number.isInteger(Number(text)) ? 'bad_whole' : undefined;
    case 'json':
      return isObject(text) ? undefined : 'bad_json';
    default:
      return undefined;
  }
}

const isWhole = (spec: FieldSpec): boolean => spec.name === 'history' || spec.name === 'max_tokens';

function isAddress(text: string): boolean {
  try {
    const { protocol, username, password } = new URL(text);
    return /^https?:$/.test(protocol) && username === '' && password === '';
  } catch {
    return false;
  }
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** What looks like a slip and is let through. */
export function oddityOf(spec: FieldSpec, form: BotForm): Oddity | undefined {
  if (spec.secret === true) {
    const draft = form.secrets[spec.name];
    if (spec.prefix === undefined || draft?.mode !== 'entered' || draft.text.trim() === '')
      return undefined;
    return draft.text.trim().startsWith(spec.prefix) ? undefined : 'prefix';
  }
  if (spec.kind !== 'url') return undefined;
  const text = (form.values[spec.name] ?? '').trim().replace(/\/+$/, '');
  if (text === '' || !isAddress(text)) return undefined;
  const { pathname, protocol, hostname } = new URL(text);
  if (form.kind === 'dify' && !pathname.endsWith('/v1')) return 'dify_url';
  if (form.kind === 'fastgpt' && !pathname.endsWith('/api')) return 'fastgpt_url';
  if (form.kind === 'coze' && pathname !== '/') return 'coze_url';
  if (form.kind === 'openai' && /\/(chat\/completions|completions|models)$/.test(pathname))
    return 'openai_url';
  const isNear = /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[)/.test(hostname);
  return protocol === 'http:' && !isNear ? 'plain_http' : undefined;
}

/** The draft that the form stands for. `base` is the version it was made from. */
export function changeOf(form: BotForm, base: BotVersion | undefined): BotChange {
  const settings: Record<string, unknown> =
    base !== undefined && base.kind === form.kind ? { ...base.settings } : {};
  const secrets: Record<string, string> = {};
  for (const spec of specsOf(form.kind)) {
    if (spec.secret === true) {
      const draft = form.secrets[spec.name];
      // Of a proof that is not chosen nothing is taken away: the published version may rest on it.
      if (!isShown(spec, form)) continue;
      if (draft?.mode === 'removed') secrets[spec.name] = '';
      else if (draft?.mode === 'entered' && draft.text.trim() !== '')
        secrets[spec.name] = draft.text.trim();
      continue;
    }
    if (spec.name === PROOF) continue;
    const text = form.values[spec.name]?.trim() ?? '';
    delete settings[spec.name];
    if (text !== '' && isShown(spec, form)) settings[spec.name] = settingOf(spec, text);
  }
  const policy: Record<string, unknown> = { ...(base?.policy ?? {}) };
  for (const { name, standard } of POLICY) {
    const text = form.policy[name]?.trim() ?? '';
    delete policy[name];
    if (text !== '' && Number(text) !== standard) policy[name] = Number(text);
  }
  delete policy[THEN];
  const spares = form.spares.filter((bot) => bot !== '' && bot !== form.id);
  if (spares.length > 0) policy[THEN] = [...new Set(spares)];
  return {
    kind: form.kind,
    name: form.name.trim(),
    note: form.note.trim(),
    settings,
    policy,
    secrets,
  };
}

function settingOf(spec: FieldSpec, text: string): unknown {
  switch (spec.kind) {
    case 'number':
      return Number(text);
    case 'switch':
      return text === 'true';
    case 'json':
      return JSON.parse(text) as unknown;
    case 'url':
      return text.replace(/\/+$/, '');
    default:
      return text;
  }
}

/** Whether saving would change anything. */
export function isChanged(form: BotForm, bot: Bot, base: BotVersion): boolean {
  const was = formOf(bot, base);
  const { secrets, ...rest } = form;
  const touched = Object.values(secrets).some(
    (draft) => draft.mode === 'removed' || (draft.mode === 'entered' && draft.text.trim() !== ''),
  );
  if (touched || form.name.trim() !== was.name.trim() || form.note.trim() !== was.note.trim())
    return true;
  const now = changeOf({ ...rest, secrets: {} }, base);
  const then = changeOf(was, base);
  return (
    JSON.stringify(sorted(now.settings)) !== JSON.stringify(sorted(then.settings)) ||
    JSON.stringify(sorted(now.policy)) !== JSON.stringify(sorted(then.policy))
  );
}

function sorted(map: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Where the server's refusal of a draft belongs: it names the field first. */
export function faultField(field: string | undefined, text: string): string {
  const named = /^([a-z_]+): /.exec(text)?.[1];
  if (field === 'id') return 'id';
  if (field === 'policy' && named !== undefined) return `policy.${named}`;
  if (field === 'settings' && named !== undefined) return named;
  return 'form';
}
