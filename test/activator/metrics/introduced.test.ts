import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ENTRY_REFUSALS } from '#activator/entry/entering.ts';
import { SHADOW_OUTCOMES } from '#activator/metrics/shadow-counts.ts';
import { createSharedMetrics, formatMetrics } from '#activator/metrics/metrics.ts';
import { createJobMetrics } from '#control/jobs/metrics.ts';
import { createControlMetrics } from '#control/metrics.ts';
import { createRequestMetrics } from '#control/requests/metrics.ts';
import { createScheduleMetrics } from '#control/schedules/metrics.ts';
import { mergeMetrics } from '#lib/prometheus.ts';
import { createSqliteRequests } from '#store/requests/sqlite-requests.ts';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../../docs/metrics.md'), 'utf8');
const pool = { keep: () => {}, views: () => [] };

async function formatAll(): Promise<string> {
  const ofDataPlane = formatMetrics([], createSharedMetrics(), { heldBytes: 0, linked: true });
  const control = createControlMetrics({ instances: () => [], pool }, () => false);
  const limits = { requests: 1, bytes: 1, keepMs: 1 };
  const store = await createSqliteRequests({ path: ':memory:', limits });
  const requests = await createRequestMetrics(store).text();
  await store.close();
  const counts = { active: 0, suspended: 0, running: 0 };
  const schedules = await createScheduleMetrics(() => counts).text();
  const jobs = await createJobMetrics(() => []).text();
  return mergeMetrics([await control.text(), jobs, requests, schedules, ofDataPlane]);
}

const namesIn = (text: string, kind: string): string[] =>
  [...text.matchAll(new RegExp(`^# ${kind} (\\S+)`, 'gm'))].map(([, name = '']) => name);

test('each metric has one line of help and one type', async () => {
  const text = await formatAll();
  const names = namesIn(text, 'TYPE');
  expect(names.length).toBeGreaterThan(15);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(namesIn(text, 'HELP'))).toEqual(new Set(names));
});

test('the list of all metrics has each of them, and no other', async () => {
  const listed = [...PAGE.matchAll(/^\| `(rouse_\w+)`/gm)].map(([, name]) => name);
  expect(new Set(listed)).toEqual(new Set(namesIn(await formatAll(), 'TYPE')));
});

test('the list has each outcome of a copy', () => {
  for (const outcome of SHADOW_OUTCOMES) expect(PAGE).toContain(`| \`${outcome}\``);
});

test('the list has each reason of a connection that was refused', () => {
  for (const reason of ENTRY_REFUSALS) expect(PAGE).toContain(`| \`${reason}\``);
});
