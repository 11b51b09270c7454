import { type JsonSchema } from '#domain/json-schema.ts';

/**
 * The keys of a schema as nested lists of Markdown: what each may be, its default, and what it means. What one choice has
 * (`policy: fixed`) stands under it.
 */
export function formatKeys(schema: JsonSchema): string {
  return `${linesOfKeys(schema, '', new Map()).join('\n')}\n`;
}

/** Where the keys of something stand, by what they are: the first place has them, others name it. */
type Written = Map<string, string>;
type Node = JsonSchema;

/** So few are written again: to look elsewhere is more work than to read them. */
const FEW_KEYS = 4;

function linesOfKeys(node: Node, path: string, written: Written): string[] {
  const variants = node.oneOf ?? [];
  if (variants.length === 0) return linesOfObject(node, path, written);
  const [shared, chosenBy] = [sharedOf(variants), choiceOf(variants)];
  const own = variants.flatMap((variant) => {
    const keys = linesOfObject(without(variant, [...shared, chosenBy]), path, written);
    const title = `- with \`${chosenBy}: ${String(propertiesOf(variant)[chosenBy]?.const)}\``;
    return keys.length === 0 ? [`${title}: nothing else`] : [`${title}:`, ...indent(keys)];
  });
  const common = linesOfObject(only(variants[0] ?? {}, shared), path, written);
  const names = variants.map((variant) => `\`${String(propertiesOf(variant)[chosenBy]?.const)}\``);
  return [`- \`${chosenBy}\` (${names.join(', ')}; required)`, ...common, ...own];
}

function linesOfObject(node: Node, path: string, written: Written): string[] {
  const required = new Set(node.required);
  return Object.entries(propertiesOf(node)).flatMap(([name, child]) => {
    const below = path === '' ? name : `${path}.${name}`;
    const inner = innerOf(child);
    const keys = JSON.stringify(withoutName(inner));
    const known = written.get(keys);
    const about = `- \`${name}\` (${factsOf(child, required.has(name)).join('; ')})`;
    const said = child.description === undefined ? about : `${about}: ${child.description}`;
    if (known !== undefined) return [`${said} Keys as in \`${known}\`.`];
    if (Object.keys(propertiesOf(inner)).length > FEW_KEYS) written.set(keys, below);
    return [said].concat(indent(linesOfKeys(inner, below, written)));
  });
}

/** `revisions` has what `revision` has. */
function withoutName(node: Node): Node {
  return { properties: propertiesOf(node), oneOf: node.oneOf };
}

/** What stands in a list, or the thing itself. */
function innerOf(node: Node): Node {
  const { items } = node;
  return typeof items === 'object' && !Array.isArray(items) ? items : node;
}

function factsOf(node: Node, isRequired: boolean): string[] {
  const byDefault = node.default;
  const said = JSON.stringify(byDefault);
  const hasDefault = byDefault !== undefined && !['{}', '[]'].includes(said);
  return [
    typeOf(node),
    ...(isRequired ? ['required'] : []),
    ...(hasDefault ? [`default \`${typeof byDefault === 'string' ? byDefault : said}\``] : []),
  ];
}

function typeOf(node: Node): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (node.anyOf) return [...new Set(node.anyOf.map(typeOf))].join(' or ');
  if (node.type === 'array') return `list${itemsText(node)}`;
  if (node.type === 'number' || node.type === 'integer') return numberText(node);
  if (node.type === 'boolean') return '`true` or `false`';
  if (node.type === 'string') return 'text';
  if (Object.keys(propertiesOf(node)).length > 0 || node.oneOf) return 'keys';
  return node.type === 'object' ? 'names and values' : 'anything';
}

function itemsText(node: Node): string {
  const inner = innerOf(node);
  if (Object.keys(propertiesOf(inner)).length > 0 || inner.oneOf) return ', each with these keys';
  return ` of ${typeOf(inner)}`;
}

function numberText(node: Node): string {
  const kind = node.type === 'integer' ? 'whole number' : 'number';
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = node;
  const low = minimum === undefined ? ['more than', exclusiveMinimum] : ['from', minimum];
  const high = maximum === undefined ? ['less than', exclusiveMaximum] : ['up to', maximum];
  const bounds = [low, high].filter(([, bound]) => Math.abs(Number(bound ?? 1e12)) < 1e12);
  return [kind, ...bounds.map((bound) => bound.join(' '))].join(' ');
}

function propertiesOf(node: Node): Record<string, Node> {
  const all = Object.entries(node.properties ?? {});
  return Object.fromEntries(
    all.filter((entry): entry is [string, Node] => typeof entry[1] === 'object'),
  );
}

function choiceOf(variants: readonly Node[]): string {
  const [first = {}] = variants;
  const [name = ''] =
    Object.entries(propertiesOf(first)).find(([, child]) => child.const !== undefined) ?? [];
  return name;
}

/** Names of the keys that all variants have, and that are the same in all. */
function sharedOf(variants: readonly Node[]): string[] {
  const [first = {}, ...others] = variants;
  return Object.entries(propertiesOf(first)).flatMap(([name, child]) => {
    const text = JSON.stringify(child);
    const same = others.every((each) => JSON.stringify(propertiesOf(each)[name]) === text);
    return same ? [name] : [];
  });
}

function without(node: Node, names: readonly string[]): Node {
  return only(
    node,
    Object.keys(propertiesOf(node)).filter((name) => !names.includes(name)),
  );
}

function only(node: Node, names: readonly string[]): Node {
  const kept = Object.entries(propertiesOf(node)).filter(([name]) => names.includes(name));
  return { ...node, properties: Object.fromEntries(kept) };
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
