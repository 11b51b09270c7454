import type { z } from 'zod';
import { type JsonSchema, makeJsonSchema } from './json-schema.ts';

/** Keys that are listed for a reader who wrote one that does not exist. */
const MOST_LISTED = 12;

/** Made once for each schema: it takes a millisecond, and a document may have many wrong keys. */
const roots = new WeakMap<z.ZodType, Node>();

/** What to say of a key that the schema does not have at `path`: the likely key, its place, or the choice. */
export function adviceOn(schema: z.ZodType, path: readonly PropertyKey[], key: string): string {
  const root = rootOf(schema);
  const nodes = path.reduce<Node[]>(inside, [root]);
  const companions = companionsOf(key, nodes);
  if (companions !== '') return `no such key here; ${key} goes with ${companions}`;
  const here = keysOf(nodes);
  const near = nearest(key, here);
  if (near !== undefined) return `no such key; did you mean ${near}?`;
  const elsewhere = pathTo(key, root);
  if (elsewhere !== undefined) return `no such key here; it is ${elsewhere}`;
  if (here.length === 0) return 'no such key';
  const more = here.length > MOST_LISTED ? ', …' : '';
  return `no such key; there are ${here.slice(0, MOST_LISTED).join(', ')}${more}`;
}

/** The choice that offers `key` where another one was made: `policy fixed`. Empty: none does. */
function companionsOf(key: string, nodes: readonly Node[]): string {
  const owners = nodes
    .flatMap(variantsOf)
    .filter(({ properties }) => Object.hasOwn(properties ?? {}, key));
  const choices = owners.flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([name, child]) =>
      typeof child === 'object' && child.const !== undefined ? [[name, String(child.const)]] : [],
    ),
  );
  const [first] = choices;
  return first ? `${first[0]} ${choices.map(([, value]) => value).join(', ')}` : '';
}

type Node = JsonSchema;

function rootOf(schema: z.ZodType): Node {
  const known = roots.get(schema);
  if (known) return known;
  const made = makeJsonSchema(schema);
  roots.set(schema, made);
  return made;
}

function inside(nodes: readonly Node[], part: PropertyKey): Node[] {
  return nodes
    .flatMap(variantsOf)
    .flatMap((node) => (typeof part === 'number' ? itemsOf(node) : under(node, String(part))));
}

/** The node itself, and each of the alternatives that it offers. */
function variantsOf(node: Node): Node[] {
  const choices = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])];
  return [node, ...choices.flatMap(variantsOf)];
}

function under(node: Node, key: string): Node[] {
  const found = node.properties?.[key] ?? node.additionalProperties;
  return typeof found === 'object' ? [found] : [];
}

function itemsOf(node: Node): Node[] {
  return typeof node.items === 'object' && !Array.isArray(node.items) ? [node.items] : [];
}

function keysOf(nodes: readonly Node[]): string[] {
  const keys = nodes.flatMap(variantsOf).flatMap((node) => Object.keys(node.properties ?? {}));
  return [...new Set(keys)];
}

/** The place of a key that stands somewhere else, nearest to the top first. */
function pathTo(key: string, root: Node): string | undefined {
  let level: [string, Node][] = [['', root]];
  while (level.length > 0) {
    const below = level.flatMap(([path, node]) => childrenOf(path, node));
    const found = below.find(([path]) => path.endsWith(`.${key}`) || path === key);
    if (found) return found[0];
    level = below;
  }
  return undefined;
}

function childrenOf(path: string, node: Node): [string, Node][] {
  return variantsOf(node).flatMap((variant) => {
    const items = itemsOf(variant).map((item): [string, Node] => [`${path}[]`, item]);
    const named = Object.entries(variant.properties ?? {})
      .filter((entry): entry is [string, Node] => typeof entry[1] === 'object')
      .map(([name, child]): [string, Node] => [path === '' ? name : `${path}.${name}`, child]);
    return items.concat(named);
  });
}

function nearest(key: string, known: readonly string[]): string | undefined {
  const plain = plainOf(key);
  const [best] = known
    .map((name) => ({ name, distance: distanceOf(plain, plainOf(name)) }))
    .toSorted((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(1, plain.length / 3) ? best.name : undefined;
}

/** `keep-alive` and `keep_alive` are `keepAlive`. */
function plainOf(key: string): string {
  return key.slice(0, 64).replace(/[-_]/g, '').toLowerCase();
}

/** Letters to insert, delete or change (Levenshtein); two that changed places count as one. */
function distanceOf(from: string, to: string): number {
  if (from !== to && lettersOf(from) === lettersOf(to)) return 1;
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [done, letter] of from.split('').entries()) {
    const next = [done + 1];
    for (const [index, other] of to.split('').entries()) {
      const change = (row[index] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(change, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function lettersOf(word: string): string {
  return word.split('').toSorted().join('');
}
