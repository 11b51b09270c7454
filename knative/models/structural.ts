import type { JsonSchema } from '#domain/json-schema.ts';

/**
 * JSON Schema as a cluster takes it for the kinds that it is taught: OpenAPI 3.0 and "structural", which is to say
 * that each node has one type, and alternatives may not bring types, defaults or descriptions of their own.
 *
 * What that cannot say is left out, so that a schema here is never narrower than the one it was made from.
 */
export interface Structural {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Structural>>;
  readonly required?: readonly string[];
  readonly maxProperties?: number;
  readonly additionalProperties?: Structural;
  readonly items?: Structural;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: true;
  readonly exclusiveMaximum?: true;
  readonly 'x-kubernetes-int-or-string'?: true;
  readonly 'x-kubernetes-preserve-unknown-fields'?: true;
  readonly 'x-kubernetes-list-type'?: 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly Rule[];
}

/** In the Common Expression Language, with the value as `self`. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
  /** Where the message depends on the value: an expression for it. */
  readonly messageExpression?: string;
  /** Of a key below: where the mistake is. */
  readonly fieldPath?: string;
}

/** Means the same in both, or nothing to a cluster. */
const KEPT = [
  'type',
  'description',
  'default',
  'enum',
  'required',
  'minItems',
  'maxItems',
  'minLength',
  'maxLength',
  'pattern',
] as const;
const TRANSLATED = [
  'const',
  'properties',
  'additionalProperties',
  'items',
  'anyOf',
  'oneOf',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
];
/** There is no word for it: what it says, only Rouse checks. */
const LEFT_OUT = ['$schema', 'title', 'propertyNames'];
const KNOWN = new Set<string>([...KEPT, ...TRANSLATED, ...LEFT_OUT]);

/** Throws for a keyword that is not known here: it would be lost without a word. */
export function makeStructural(node: JsonSchema): Structural {
  const unknown = Object.keys(node).find((keyword) => !KNOWN.has(keyword));
  if (unknown !== undefined) throw new Error(`JSON Schema's ${unknown} is not translated yet`);
  const { anyOf, oneOf } = node;
  if (anyOf) return { ...pickKept(node), ...makeEither(anyOf) };
  if (oneOf) return { ...pickKept(node), ...makeUnion(oneOf) };
  return { ...pickKept(node), ...makeBounds(node), ...makeInner(node) };
}

function pickKept(node: JsonSchema): Structural {
  const kept = KEPT.filter((keyword) => node[keyword] !== undefined);
  const entries = kept.map((keyword) => [keyword, node[keyword]] as const);
  return {
    ...Object.fromEntries(entries),
    ...(node.const !== undefined && { enum: [node.const] }),
  };
}

/** The API server compares whole numbers as these: a bound beyond them would wrap, and refuse every one. */
const INT64 = 2 ** 63;

function isBound(value: JsonSchema['exclusiveMinimum']): value is number {
  return typeof value === 'number' && Math.abs(value) < INT64;
}

/** In OpenAPI 3.0 a bound is exclusive by a word beside it. What is left out here, control checks. */
function makeBounds(node: JsonSchema): Structural {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = node;
  return {
    ...(isBound(minimum) && { minimum }),
    ...(isBound(maximum) && { maximum }),
    ...(isBound(exclusiveMinimum) && {
      minimum: exclusiveMinimum,
      exclusiveMinimum: true,
    }),
    ...(isBound(exclusiveMaximum) && {
      maximum: exclusiveMaximum,
      exclusiveMaximum: true,
    }),
  };
}

function makeInner({ properties, additionalProperties, items }: JsonSchema): Structural {
  return {
    ...(properties && { properties: eachProperty(properties) }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: makeStructural(additionalProperties),
    }),
    ...(isNode(items) && { items: makeStructural(items) }),
  };
}

function eachProperty(
  properties: NonNullable<JsonSchema['properties']>,
): Record<string, Structural> {
  const entries = Object.entries(properties);
  return Object.fromEntries(
    entries.flatMap(([key, child]) => (isNode(child) ? [[key, makeStructural(child)]] : [])),
  );
}

/**
 * Values of several types, such as a text or a number: one node with the keywords of all, as each of them speaks only
 * of values of its own type. A node has no type then, or the one name that there is for a text or a whole number.
 */
function makeEither(alternatives: readonly JsonSchema[]): Structural {
  const nodes = alternatives.filter(isNode).map(makeStructural);
  const types = new Set(nodes.map(({ type }) => type));
  const merged: Structural = Object.fromEntries(
    nodes.flatMap(({ type: _type, description: _description, ...rest }) => Object.entries(rest)),
  );
  if (types.has('integer') && types.has('string') && types.size === 2) {
    return { ...merged, 'x-kubernetes-int-or-string': true };
  }
  const { properties } = merged;
  return {
    ...merged,
    ...(properties && { maxProperties: Object.keys(properties).length }),
    'x-kubernetes-preserve-unknown-fields': true,
  };
}

/** Objects of several shapes: all keys that one of them has, without defaults, which would be those of all. */
function makeUnion(alternatives: readonly JsonSchema[]): Structural {
  const nodes = alternatives.filter(isNode).map(makeStructural);
  const properties: Record<string, Structural> = {};
  for (const [key, { default: _default, ...child }] of nodes.flatMap(propertiesOf)) {
    const choices = new Set([...(properties[key]?.enum ?? []), ...(child.enum ?? [])]);
    properties[key] = { ...child, ...(choices.size > 0 && { enum: [...choices] }) };
  }
  const required = Object.keys(properties).filter((key) =>
    nodes.every((node) => node.required?.includes(key)),
  );
  return { type: 'object', properties, required };
}

function propertiesOf({ properties = {} }: Structural): [string, Structural][] {
  return Object.entries(properties);
}

function isNode(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
