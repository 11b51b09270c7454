import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { revisionSpec } from '#domain/model.ts';
import { modelName, revisionName as revisionNameSchema } from '#domain/names.ts';
import { revisionName, serviceName } from '#knative/manifests/names.ts';
import { makeTraffic, targetsOf } from '#knative/manifests/traffic.ts';

/** RFC 1035, which Knative asks for. */
const LABEL = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const spec = revisionSpec.parse({ runtime: 'image', source: 'x/y:1' });

const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
const model = label.filter((name) => modelName.safeParse(name).success);
const revision = label.filter((name) => revisionNameSchema.safeParse(name).success);
/** Near each other: prefixes, dashes, digits in front, and what names with a hash look like. */
const close = fc
  .array(fc.constantFrom('a', 'b', '1', 'a-b', 'x0123456789', 'm-1'), {
    minLength: 1,
    maxLength: 12,
  })
  .map((parts) => parts.join('-').slice(0, 63).replace(/-+$/, ''));

describe('names', () => {
  test('of Services and Revisions are DNS labels that begin with a letter, one the prefix of the other', () => {
    fc.assert(
      fc.property(fc.oneof(model, close), revision, (name, version) => {
        const service = serviceName(name);
        const made = revisionName({ key: `default/${name}/${version}`, spec });
        expect(service).toMatch(LABEL);
        expect(made).toMatch(LABEL);
        expect(made.startsWith(`${service}-`)).toBe(true);
      }),
    );
  });

  test('are those of one model and one revision only', () => {
    const several = fc.uniqueArray(fc.tuple(fc.oneof(model, close), fc.oneof(revision, close)), {
      minLength: 2,
      maxLength: 20,
      selector: ([name, version]) => `${name}/${version}`,
    });
    fc.assert(
      fc.property(several, (pairs) => {
        const models = new Set(pairs.map(([name]) => name));
        expect(new Set(Array.from(models, serviceName)).size).toBe(models.size);
        const names = pairs.map(([name, version]) =>
          revisionName({ key: `default/${name}/${version}`, spec }),
        );
        expect(new Set(names).size).toBe(pairs.length);
      }),
    );
  });

  test.each([
    ['digits', /^digits$/],
    ['a'.repeat(40), /^a{40}$/],
    ['a'.repeat(41), /^a{28}-x[0-9a-f]{10}$/],
    ['3d-net', /^m-3d-net-x[0-9a-f]{10}$/],
    ['a-x0123456789', /^a-x0123456789-x[0-9a-f]{10}$/],
  ])('the Service of %s is %s', (name, expected) => {
    expect(serviceName(name)).toMatch(expected);
  });

  test('whose parts would run together are told apart', () => {
    const one = revisionName({ key: 'default/a/b-c', spec });
    const two = revisionName({ key: 'default/a-b/c', spec });
    expect(one).toMatch(/^a-b-c-[0-9a-f]{10}$/);
    expect(two).toMatch(/^a-b-c-[0-9a-f]{10}$/);
    expect(one).not.toBe(two);
  });
});

/** Splits that the model file allows: percentages that sum to 100, each tag once. */
const split = fc
  .tuple(
    fc.uniqueArray(revision, { minLength: 1, maxLength: 8 }),
    fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 8, maxLength: 8 }),
    fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  )
  .map(([revisions, weights, tagged]) => {
    const cuts = weights.slice(0, revisions.length - 1).toSorted((a, b) => a - b);
    const bounds = [0, ...cuts, 100];
    return revisions.map((name, index) => ({
      revision: name,
      percent: (bounds[index + 1] ?? 100) - (bounds[index] ?? 0),
      ...(tagged[index] === true && { tag: `t${index}` }),
    }));
  });

describe('traffic', () => {
  test('sums to 100, says each split as it is, and comes back as it was', () => {
    fc.assert(
      fc.property(split, fc.uniqueArray(revision, { maxLength: 4 }), (targets, kept) => {
        const rows = makeTraffic({ model: 'digits', targets, kept, nameOf: (each) => `r-${each}` });
        expect(rows.reduce((sum, { percent }) => sum + (percent ?? 0), 0)).toBe(100);
        for (const [index, { revision: name, percent }] of targets.entries()) {
          expect(rows[index]).toMatchObject({ revisionName: `r-${name}`, percent });
        }
        const named = rows.map(({ revisionName: name }) => name);
        for (const each of kept) expect(named).toContain(`r-${each}`);
        expect(new Set(named).size).toBe(rows.length);
        const shown = targets.filter(({ percent, tag }) => percent > 0 || tag !== undefined);
        expect(targetsOf(rows, (name) => name.slice(2))).toEqual(shown);
      }),
    );
  });

  test('of a row with a match the revision stays reachable, once: Knative does not look at headers', () => {
    const match = { header: 'X-Group', values: ['beta'] };
    const targets = [
      { revision: 'v1', percent: 100 },
      { revision: 'v1', percent: 0, match },
      { revision: 'v2', percent: 0, match },
      { revision: 'v3', percent: 0, match, tag: 'next' },
    ];
    const nameOf = (each: string): string => `r-${each}`;
    const rows = makeTraffic({ model: 'digits', targets, kept: ['v2'], nameOf });
    expect(rows).toEqual([
      { revisionName: 'r-v1', latestRevision: false, percent: 100 },
      { revisionName: 'r-v3', latestRevision: false, percent: 0, tag: 'next' },
      { revisionName: 'r-v2', latestRevision: false, percent: 0 },
    ]);
  });

  test('to a revision that is not ours is nobody’s', () => {
    expect(targetsOf([{ revisionName: 'x', percent: 100 }], () => undefined)).toEqual([]);
    expect(targetsOf([{ latestRevision: true, percent: 100 }], () => 'v1')).toEqual([]);
  });
});
