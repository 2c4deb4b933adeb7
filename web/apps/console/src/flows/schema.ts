/**
 * A node's settings as a form, read off the server's JSON Schema. Owns which control a setting gets; knows no kind of
 * node by name. Its one rule: a setting that the server has is in the form, also one that this file has never heard of.
 */
import type { Schema, Settings } from '../api/flows.ts';

export type Control =
  | 'texts'
  | 'options'
  | 'map'
  | 'numbers'
  | 'line'
  | 'number'
  | 'share'
  | 'seconds'
  | 'switch'
  | 'choice'
  | 'words'
  | 'days'
  | 'labels'
  | 'list'
  | 'bot'
  | 'flow'
  | 'team'
  | 'raw';

export interface Field {
  readonly name: string;
  readonly control: Control;
  readonly isRequired: boolean;
  readonly value: unknown;
  /** Of a choice. */
  readonly choices: readonly string[];
  /** Of a list: the fields of one item. */
  readonly fields: readonly Field[];
  readonly isWhole: boolean;
  /** Empty means something of its own. */
  readonly mayBeNull: boolean;
}

/** By name to what is made elsewhere. */
const MADE_ELSEWHERE: Readonly<Record<string, Control>> = {
  bot: 'bot',
  judge: 'bot',
  router: 'bot',
  flow: 'flow',
  team: 'team',
};
/** Names with values; every other such object is a text by language. */
const MAPS: ReadonlySet<string> = new Set(['variables', 'attributes', 'headers', 'take']);
const SHARES: ReadonlySet<string> = new Set(['threshold', 'at', 'floor', 'sure_at', 'near_at']);
/** What names a way out; people never see it. */
export const PORT = 'port';

/** The fields of a kind, in the schema's order. */
export function fieldsOf(schema: Schema): readonly Field[] {
  return objectFields(schema, schema);
}

function objectFields(schema: Schema, root: Schema): readonly Field[] {
  const object = resolve(schema, root);
  const required = new Set(asList(object.required));
  return Object.entries(asObject(object.properties)).map(([name, property]) =>
    fieldOf(name, asObject(property), required.has(name), root),
  );
}

function fieldOf(name: string, property: Schema, isRequired: boolean, root: Schema): Field {
  const options = Array.isArray(property.anyOf) ? property.anyOf.map(asObject) : [property];
  const mayBeNull = options.some(({ type }) => type === 'null');
  const shape = resolve(options.find(({ type }) => type !== 'null') ?? property, root);
  const items = resolve(asObject(shape.items), root);
  const control = controlOf(name, shape, items);
  return {
    name,
    control,
    isRequired,
    value: property.default ?? (mayBeNull ? null : blank(control, shape)),
    choices: asList(shape.enum).map(String),
    fields: control === 'list' ? objectFields(items, root) : [],
    isWhole: shape.type === 'integer',
    mayBeNull,
  };
}

function controlOf(name: string, shape: Schema, items: Schema): Control {
  const elsewhere = MADE_ELSEWHERE[name];
  if (elsewhere !== undefined) return elsewhere;
  if (shape.enum !== undefined) return 'choice';
  switch (shape.type) {
    case 'boolean':
      return 'switch';
    case 'string':
      return 'line';
    case 'integer':
    case 'number':
      if (name.endsWith('_s')) return 'seconds';
      return SHARES.has(name) ? 'share' : 'number';
    case 'array':
      return arrayControl(items);
    case 'object':
      return objectControl(name, asObject(shape.additionalProperties));
    default:
      return 'raw';
  }
}

function arrayControl(items: Schema): Control {
  if (items.type === 'string') return 'words';
  if (items.type === 'integer') return 'days';
  if (items.type !== 'object') return 'raw';
  return items.properties === undefined ? 'labels' : 'list';
}

function objectControl(name: string, values: Schema): Control {
  if (values.type === 'array') return 'options';
  if (values.type === 'number') return 'numbers';
  if (values.type !== 'string') return 'raw';
  return MAPS.has(name) ? 'map' : 'texts';
}

function blank(control: Control, shape: Schema): unknown {
  switch (control) {
    case 'texts':
    case 'options':
    case 'map':
    case 'numbers':
      return {};
    case 'words':
    case 'days':
    case 'labels':
    case 'list':
      return [];
    case 'switch':
      return false;
    case 'choice':
      return asList(shape.enum)[0] ?? '';
    case 'seconds':
      return 60;
    case 'number':
    case 'share':
    case 'team':
      return 0;
    default:
      return '';
  }
}

/** What has to be set in a new one so that the server can read it. */
export function requiredSettings(fields: readonly Field[]): Settings {
  return Object.fromEntries(
    fields.filter(({ isRequired }) => isRequired).map(({ name, value }) => [name, value]),
  );
}

/** A setting as it stands, or its default. */
export function settingOf(settings: Settings, field: Field): unknown {
  return settings[field.name] ?? field.value;
}

/** A field changed; what is at its default again is left out, as the server does. */
export function withValue(settings: Settings, field: Field, value: unknown): Settings {
  if (!field.isRequired && isSame(value, field.value)) {
    const { [field.name]: _gone, ...rest } = settings;
    return rest;
  }
  return { ...settings, [field.name]: value };
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A new item of a list; its way out gets a name that none of the others has. */
export function newItem(field: Field, others: readonly Settings[]): Settings {
  const made = requiredSettings(field.fields);
  if (!field.fields.some(({ name }) => name === PORT)) return made;
  const taken = new Set(others.map((one) => one[PORT]));
  let number = others.length + 1;
  while (taken.has(`way_${number}`)) number += 1;
  return { ...made, [PORT]: `way_${number}` };
}

function resolve(schema: Schema, root: Schema): Schema {
  const ref = schema.$ref;
  if (typeof ref !== 'string') return schema;
  const name = ref.slice(ref.lastIndexOf('/') + 1);
  return asObject(asObject(root.$defs)[name]);
}

function asObject(value: unknown): Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Schema)
    : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
