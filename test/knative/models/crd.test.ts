import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseModel } from '#domain/parse.ts';
import { makeModelCrd, makeModelSchema } from '#knative/models/crd.ts';
import { makeStructural, type Structural } from '#knative/models/structural.ts';
import { Fault } from '#lib/fault.ts';
import { parseYaml } from '#lib/yaml.ts';
import { makeFullModel } from '#test/domain/model-file.ts';
import { modelFiles } from './model-arbitrary.ts';
import { REJECTED } from './rejected.ts';

const ROOT = join(import.meta.dirname, '../../..');
const INSTALL = join(ROOT, 'knative/install/models/definition.yaml');

test('what is installed is what is made: run "npm run crd" after a change of the model file', () => {
  const [installed] = parseYaml(readFileSync(INSTALL, 'utf8'), INSTALL);
  expect(installed?.value).toEqual(makeModelCrd());
});

/** All nodes, with their paths. */
function nodesOf(node: Structural, path = ''): [string, Structural][] {
  const children = Object.entries(node.properties ?? {}).flatMap(([key, child]) =>
    nodesOf(child, `${path}.${key}`),
  );
  const items = node.items ? nodesOf(node.items, `${path}[]`) : [];
  const others = node.additionalProperties ? nodesOf(node.additionalProperties, `${path}{}`) : [];
  return [[path, node], ...children, ...items, ...others];
}

describe('the schema is structural', () => {
  test.each(nodesOf(makeModelSchema()))('%s', (_path, node) => {
    const isOpen =
      node['x-kubernetes-int-or-string'] ?? node['x-kubernetes-preserve-unknown-fields'] ?? false;
    expect((node.type === undefined) === isOpen).toBe(true);
    expect(node.properties && node.additionalProperties).toBeUndefined();
    const forbidden = /^(\$ref|const|title|anyOf|oneOf|allOf|not|nullable)$/;
    expect(Object.keys(node).filter((keyword) => forbidden.test(keyword))).toEqual([]);
    // RE2 takes no more repetitions.
    const counts = node.pattern?.matchAll(/\{(?:\d+,)?(\d+)\}/g) ?? [];
    for (const [, most] of counts) expect(Number(most)).toBeLessThanOrEqual(1000);
  });
});

test('defaults and descriptions are those of the model file', () => {
  const schemas = new Map(nodesOf(makeModelSchema()));
  expect(schemas.get('.spec.scaling.target')).toMatchObject({
    default: 0.7,
    description: "Share of an instance's concurrency that is aimed at.",
    minimum: 0,
    exclusiveMinimum: true,
  });
  expect(schemas.get('.spec.keepAlive.idle')?.default).toBeUndefined();
});

test('a bound that the API server cannot compare whole numbers with is left to control', () => {
  expect(makeStructural({ type: 'number', minimum: -(2 ** 63), maximum: 1e100 })).toEqual({
    type: 'number',
  });
  const safe = { type: 'number', minimum: Number.MIN_SAFE_INTEGER, maximum: 1e15 } as const;
  expect(makeStructural(safe)).toEqual(safe);
});

test('a keyword that nobody has thought of is no silent loss', () => {
  expect(() => makeStructural({ type: 'object', patternProperties: {} })).toThrow(
    "JSON Schema's patternProperties is not translated yet",
  );
});

/** As JSON Schema, in which a key that is not known is a mistake: the API server would drop it. */
function jsonSchemaOf(node: Structural): Record<string, unknown> {
  const { properties, items, additionalProperties, minimum, maximum, ...rest } = node;
  const { exclusiveMinimum, exclusiveMaximum, ...kept } = rest;
  const each = Object.entries(properties ?? {}).map(([key, child]) => [key, jsonSchemaOf(child)]);
  const isOpen = node['x-kubernetes-preserve-unknown-fields'] === true;
  return {
    ...Object.fromEntries(Object.entries(kept).filter(([keyword]) => !keyword.startsWith('x-'))),
    ...(node['x-kubernetes-int-or-string'] && { type: ['integer', 'string'] }),
    ...(minimum !== undefined && { [exclusiveMinimum ? 'exclusiveMinimum' : 'minimum']: minimum }),
    ...(maximum !== undefined && { [exclusiveMaximum ? 'exclusiveMaximum' : 'maximum']: maximum }),
    ...(properties && { properties: Object.fromEntries(each) }),
    ...(properties && !isOpen && { additionalProperties: false }),
    ...(additionalProperties && { additionalProperties: jsonSchemaOf(additionalProperties) }),
    ...(items && { items: jsonSchemaOf(items) }),
  };
}

const { properties = {} } = makeModelSchema();
const spec = properties['spec'] ?? {};
const takes = new Ajv({ strict: false, validateFormats: false }).compile(jsonSchemaOf(spec));

describe('what Rouse takes, the API server takes', () => {
  test('the fullest file, and the samples', () => {
    const files = globSync('functions/samples/*.yaml', { cwd: ROOT });
    expect(files.length).toBeGreaterThan(3);
    const samples = files.flatMap((file) =>
      parseYaml(readFileSync(join(ROOT, file), 'utf8'), file),
    );
    for (const value of [makeFullModel(), ...samples.map((sample) => sample.value)]) {
      expect(takes(Reflect.get(value as object, 'spec')), JSON.stringify(takes.errors)).toBe(true);
    }
  });

  test('any other', () => {
    fc.assert(
      fc.property(modelFiles, (document) => {
        expect(takes(document.spec), JSON.stringify(takes.errors)).toBe(true);
      }),
    );
  });
});

/** What Rouse says of it. */
function problemsOf(document: unknown): readonly { key: string; expected: string }[] {
  try {
    parseModel(document);
    return [];
  } catch (error) {
    if (error instanceof Fault) return error.problems;
    throw error;
  }
}

/** Messages of rules, by themselves or as an expression makes them. */
const MESSAGES = nodesOf(makeModelSchema()).flatMap(([, node]) =>
  (node['x-kubernetes-validations'] ?? []).map(({ message }) => message),
);

describe('what the API server refuses, Rouse refuses in the same words', () => {
  test.each(REJECTED)('$key: $message', ({ document, key, message = '' }) => {
    const found = problemsOf(document).filter((problem) => problem.key.startsWith(key));
    expect(found.map(({ expected }) => expected.slice(0, message.length))).toContain(message);
  });

  test('there is an example for every rule', () => {
    const said = REJECTED.map(({ message = '' }) =>
      message.replace('runtime onnx', 'this runtime'),
    );
    const missing = MESSAGES.filter(
      (message) => !said.some((one) => one !== '' && message.startsWith(one)),
    );
    expect(missing).toEqual([]);
  });
});
