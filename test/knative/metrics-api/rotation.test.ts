import { expect, test } from 'vitest';
import {
  bundleOf,
  type Certificates,
  type Dated,
  decideCertificates,
  RENEW_MS,
} from '#knative/metrics-api/rotation.ts';

let made = 0;
const dated = (name: string, madeAt: number): Dated => {
  const id = ++made;
  return { certificate: `<certificate ${id}>`, key: `<key ${id}>`, name, madeAt };
};

/** An API server that is told the bundle each time; the certificate that was served is one that it trusted. */
function live(looks: readonly number[], isTold: (look: number) => boolean): Certificates[] {
  const seen: Certificates[] = [];
  let held: Certificates | undefined;
  let bundle = '';
  for (const [look, now] of looks.entries()) {
    held = decideCertificates(held, { name: 'a', bundle, now }, () => dated('a', now));
    // Nothing was served before the first.
    if (look > 0) expect(bundle).toContain(held.serving.certificate);
    if (look === 0 || isTold(look)) bundle = bundleOf(held);
    seen.push(held);
  }
  return seen;
}

test('a new certificate is trusted before it is served, and the old one is let go after it', () => {
  const seen = live([0, RENEW_MS - 1, RENEW_MS, RENEW_MS + 1, RENEW_MS + 2], () => true);
  const [first, , during, after, last] = seen;
  expect(seen[1]).toBe(first);
  expect(during).toEqual({ serving: first?.serving, next: expect.anything() });
  expect(after).toEqual({ serving: during?.next });
  expect(last).toBe(after);
});

test('while nobody can be told, the old one is served on', () => {
  const looks = [0, RENEW_MS, RENEW_MS + 1, RENEW_MS + 2, RENEW_MS + 3];
  const seen = live(looks, (look) => look >= 3);
  expect(seen[3]?.serving).toBe(seen[0]?.serving);
  expect(seen[3]?.next).toBe(seen[1]?.next);
  expect(seen[4]?.serving).toBe(seen[1]?.next);
});

test('by another name it is reached with another certificate', () => {
  const held = decideCertificates(undefined, { name: 'a', bundle: '', now: 0 }, () =>
    dated('a', 0),
  );
  const next = decideCertificates(held, { name: 'b', bundle: '', now: 1 }, () => dated('b', 1));
  expect(next.serving.name).toBe('b');
});
