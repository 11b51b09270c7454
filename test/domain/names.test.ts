import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  hostLabel,
  modelKey,
  modelName,
  namespaceName,
  partsOfRevisionKey,
  revisionKey,
  revisionName,
  tagName,
} from '#domain/names.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'.split('');
const letter = fc.constantFrom(...LETTERS);
const inner = fc.string({ unit: fc.constantFrom(...LETTERS, '-'), maxLength: 61 });
/** What DNS and Knative take. */
const label = fc
  .tuple(letter, fc.option(fc.tuple(inner, letter), { nil: undefined }))
  .map(([first, rest]) => first + (rest ? rest.join('') : ''));

const SCHEMAS = { modelName, namespaceName, tagName, revisionName };

describe.each(Object.entries(SCHEMAS))('%s', (_, schema) => {
  test('takes every DNS label', () => {
    fc.assert(
      fc.property(label, (name) => {
        fc.pre(name !== 'latest');
        expect(schema.parse(name)).toBe(name);
      }),
    );
  });

  test('takes nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text) || text.includes('\n'));
        expect(schema.safeParse(text).success).toBe(false);
      }),
    );
  });

  test.each([
    '',
    '-a',
    'a-',
    'A',
    'a_b',
    'a.b',
    'a/b',
    'a b',
    'a\n',
    'ä',
    'a'.repeat(64),
    '..',
    5,
    null,
  ])('%j is refused with what would be right', (value) => {
    const result = schema.safeParse(value);
    expect(result.error?.issues[0]?.message).toMatch(/^lower-case letters/);
  });
});

test('a revision is not called latest; anything else may be', () => {
  expect(revisionName.safeParse('latest').error?.issues[0]?.message).toContain('another name');
  expect(modelName.parse('latest')).toBe('latest');
});

test('keys are taken apart into what they were made of', () => {
  fc.assert(
    fc.property(label, label, label, (namespace, model, revision) => {
      const key = revisionKey(namespace, model, revision);
      expect(key.startsWith(`${modelKey(namespace, model)}/`)).toBe(true);
      expect(partsOfRevisionKey(key)).toEqual({ namespace, model, revision });
    }),
  );
});

test('the first label of a host, with a tag and without', () => {
  expect(hostLabel('digits')).toBe('digits');
  expect(hostLabel('digits', 'canary')).toBe('canary-digits');
});
