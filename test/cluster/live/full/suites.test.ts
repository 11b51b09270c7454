import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRows } from '#test/cluster/suites/record-run.ts';
import { findOnlyOurs, type Row } from '#test/cluster/suites/results.ts';
import { SUITES } from '#test/cluster/suites/suites.ts';
import { createTestCluster, MISSING, NEEDS, type TestCluster } from '../cluster.ts';

const HOUR_MS = 3_600_000;
/** Of the ingress alone: it is a test of its own. */
const SERVING = Object.keys(SUITES).filter((name) => name !== 'conformance-ingress');

/** Knative's own suites with our ingress, first with Knative's activator and then with ours; the results are kept. */
describe.skipIf(MISSING.length > 0)(`Knative's suites ${NEEDS}`, () => {
  let cluster: TestCluster;

  const record = async (suite: string): Promise<Row[]> => {
    await cluster.run(['suite', suite, '--record']);
    return (await readRows()).filter((row) => row.suite === suite);
  };

  beforeAll(async () => {
    cluster = createTestCluster();
    await cluster.must('up', 'rouse-ingress');
  });
  afterAll(async () => {
    await cluster?.close();
  });

  test.each(SERVING)(
    '%s with its own activator: all tests are there',
    async (suite) => {
      const rows = (await record(suite)).filter(({ activator }) => activator === 'stock');
      const missing = rows.filter(({ outcome }) => outcome === 'missing');
      expect(missing.map((row) => row.test)).toEqual([]);
      expect(rows.map((row) => row.test).toSorted()).toEqual(SUITES[suite]?.tests.toSorted());
    },
    HOUR_MS,
  );

  test('ours takes its place', async () => {
    await cluster.must('add', 'rouse-activator');
  });

  test.each(SERVING)(
    '%s with ours: nothing fails that does not fail with its own',
    async (suite) => {
      expect(findOnlyOurs(await record(suite), suite)).toEqual([]);
    },
    HOUR_MS,
  );
});
