/** Names of bots, platforms and settings as people read them. */
import type { TFunction } from 'i18next';
import i18next from 'i18next';
import type { BotList, BotUse } from '../api/bots.ts';
import type { FieldSpec } from './platforms.ts';
import { platformOf } from './platforms.ts';
import { publishedOf } from './state.ts';

export const HOUSE = 'local';

type Found = 'bots.heading';

/** A word that may be there under the first name that has one. */
function word(t: TFunction, ...keys: readonly string[]): string | undefined {
  const known = keys.find((key) => i18next.exists(key));
  return known === undefined ? undefined : t(known as Found);
}

export function platformName(kind: string, t: TFunction): string {
  return word(t, `bots.platform.${kind}`) ?? kind;
}

export function fieldName(kind: string, name: string, t: TFunction): string {
  if (name === 'name') return t('bots.form.name');
  if (name === 'kind') return t('bots.col.name');
  const [group, inner] = name.split('.');
  if (group === 'policy' && inner !== undefined) return word(t, `bots.policy.${inner}`) ?? inner;
  return word(t, `bots.field.${kind}_${name}`, `bots.field.${name}`) ?? name;
}

export function fieldHint(kind: string, spec: FieldSpec, t: TFunction): string | undefined {
  return word(t, `bots.hint.${kind}_${spec.name}`, `bots.hint.${spec.name}`);
}

/** A value of a setting as people read it. */
export function valueName(value: string, t: TFunction): string {
  if (value === '') return t('bots.versions.unset');
  if (value === 'true' || value === 'false')
    return t(value === 'true' ? 'bots.form.yes' : 'bots.form.no');
  return word(t, `bots.choice.${value}`) ?? value;
}

export function botName(id: string, list: BotList, t: TFunction): string {
  if (id === HOUSE) return t('bots.house');
  const bot = list.bots.find((one) => one.id === id);
  return bot === undefined ? id : (publishedOf(bot) ?? bot.versions[0])?.name || id;
}

/** A text of a flow in the reader's language. */
export function titleOf(title: Readonly<Record<string, string>>, locale: string): string {
  return title[locale] ?? Object.values(title)[0] ?? '';
}

export function nameOfUse(use: BotUse, list: BotList, locale: string, t: TFunction): string {
  const title = use.kind === 'then' ? botName(use.of, list, t) : titleOf(use.title, locale);
  return t(`bots.use.${use.kind}`, { title });
}

export function signOf(kind: string): string {
  return platformOf(kind)?.sign ?? '青';
}
