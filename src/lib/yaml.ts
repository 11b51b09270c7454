import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, visit } from 'yaml';
import { Composer, type CST, Parser, stringify } from 'yaml';
import { Fault, messageOf } from './fault.ts';

/** A small file must stay a small value, and quick to read: each alias is looked up in the whole document. */
const MAX_ALIASES = 100;
/** In characters. Far above any file of ours, and read in a fraction of a second whatever it holds. */
const MAX_LENGTH = 256 * 1024;
/** Lists and maps in each other. What follows the parser recurses, and would end with the stack. */
const MAX_DEPTH = 64;
/** The parser's messages quote the text. */
const MAX_MESSAGE = 200;

/** One document of a YAML (or JSON) file, and where in the file its keys stand. */
export interface YamlDocument {
  readonly value: unknown;
  /** Line of a key such as `spec.traffic[0].percent`, or of the nearest one above it. */
  readonly lineOf: (key: string) => number;
}

/** All documents of a text. Throws Fault `bad_request` with the place of the first mistake. */
export function parseYaml(text: string, what: string): YamlDocument[] {
  if (text.length > MAX_LENGTH) {
    const found = `${text.length} characters`;
    throw new Fault('too_large', `${what} has ${found}, expected at most ${MAX_LENGTH}`);
  }
  const lines = new LineCounter();
  try {
    const tokens = [...new Parser(lines.addNewLine).parse(text)];
    for (const token of tokens) refuseDepth(token, lines, what);
    return compose(tokens, lines, what);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('bad_request', `${what} cannot be read as YAML: ${shorten(messageOf(error))}`);
  }
}

export function formatYaml(value: unknown): string {
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
}

function compose(tokens: readonly CST.Token[], lines: LineCounter, what: string): YamlDocument[] {
  const composer = new Composer({
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    // The library compares each pair of keys; `refuseExcess` needs one pass.
    uniqueKeys: false,
    resolveKnownTags: false,
    logLevel: 'error',
  });
  return [...composer.compose(tokens)]
    .filter((document) => document.contents !== null)
    .map((document) => readDocument(document, lines, what));
}

/** Level by level, without recursion. */
function refuseDepth(token: CST.Token, lines: LineCounter, what: string): void {
  let level = [token];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH + 1) {
      const place = at(what, lines, level[0]?.offset ?? 0);
      throw new Fault('bad_request', `${place}: more than ${MAX_DEPTH} levels of lists and keys`);
    }
    level = level.flatMap(childrenOf);
  }
}

/** The content of a document; keys and values of a map; entries of a list. */
function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value ? [token.value] : [];
  if (!('items' in token)) return [];
  return token.items.flatMap(({ key, value }) => [key, value].filter((part) => part != null));
}

function readDocument(document: Document, lines: LineCounter, what: string): YamlDocument {
  const [mistake] = document.errors;
  if (mistake) {
    const place = at(what, lines, mistake.pos[0]);
    throw new Fault('bad_request', `${place}: ${shorten(mistake.message)}`);
  }
  refuseExcess(document, lines, what);
  return {
    value: document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown,
    lineOf: (key) => lines.linePos(offsetOf(document, key)).line,
  };
}

function refuseExcess(document: Document, lines: LineCounter, what: string): void {
  let aliases = 0;
  visit(document, {
    Alias(_, alias) {
      aliases += 1;
      if (aliases <= MAX_ALIASES) return;
      const place = at(what, lines, alias.range?.[0] ?? 0);
      throw new Fault('bad_request', `${place}: more than ${MAX_ALIASES} aliases`);
    },
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          const place = at(what, lines, key.range?.[0] ?? 0);
          throw new Fault(
            'bad_request',
            `${place}: the key ${String(key.value)} stands here twice`,
          );
        }
        seen.add(key.value);
      }
    },
  });
}

function shorten(message: string): string {
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message;
}

function at(what: string, lines: LineCounter, offset: number): string {
  return `${what}:${lines.linePos(offset).line}`;
}

/** Walks as far as the keys exist: a missing key is at the line of what should hold it. */
function offsetOf(document: Document, key: string): number {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const part of key.split(/[.[\]]+/).filter((part) => part !== '')) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = startOf(node) ?? offset;
    } else if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part);
      if (!pair) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else break;
  }
  return offset ?? 0;
}

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)
    ? node.range?.[0]
    : undefined;
}
