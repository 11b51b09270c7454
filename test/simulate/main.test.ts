import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '../../src/simulate/main.ts');
let folder: string;
let trace: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-simulate-'));
  trace = join(folder, 'requests.csv');
  const rows = Array.from(
    { length: 300 },
    (_, row) => `${row * 95},m${row % 3},0.2,2,${1 + (row % 3)}`,
  );
  writeFileSync(trace, ['timestamp,model,duration,cold_cost,memory', ...rows].join('\n'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function simulate(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const options = { encoding: 'utf8', timeout: 30_000 } as const;
  return spawnSync(process.execPath, [MAIN, ...args], options);
}

test('prints a row for each policy, or figures as JSON', () => {
  const names = ['fixed:1m', 'hybrid', 'adaptive', 'adaptive:online'];
  const policies = names.flatMap((name) => ['--policy', name]);
  const args = ['--trace', trace, ...policies, '--budget', 'fixed:1m'];
  const table = simulate(...args);
  expect(table.stderr).toBe('');
  expect(table.status).toBe(0);
  expect(
    table.stdout
      .split('\n')
      .slice(2, -1)
      .map((row) => row.split('|')[1]!.trim()),
  ).toEqual(names);
  const rows: Record<string, unknown>[] = JSON.parse(simulate(...args, '--json').stdout);
  expect(rows.map((row) => row['policy'])).toEqual(names);
  expect(rows[0]).toMatchObject({ arrivals: 300, cold: 300, coldSeconds: 600 });
  // One timer each: the learned policy loads just before.
  expect(Number(rows[2]!['cold'])).toBeLessThan(100);
});

test('memory is told as a size where a log has bytes, and in models where it has none', () => {
  const rows = (memory: string): string[] =>
    Array.from({ length: 3 }, (_, row) => `${row * 60},m,0.2,2,${memory}`);
  const idleOf = (memory: string): string => {
    const file = join(folder, `idle-${memory}.csv`);
    writeFileSync(file, ['timestamp,model,duration,cold_cost,memory', ...rows(memory)].join('\n'));
    const { stdout } = simulate('--trace', file, '--policy', 'fixed:1h');
    return stdout.split('\n')[2]!.split('|')[7]!.trim();
  };
  expect(idleOf('640000000')).toMatch(/^60\d(\.\d)?Mi$/);
  expect(idleOf('')).toMatch(/^0\.9\d+$/);
});

test('under a cap all policies have the same memory', () => {
  const names = ['fixed:1h', 'adaptive:online', 'lru', 'greedy-dual', 'adaptive:evict'];
  const policies = names.flatMap((name) => ['--policy', name]);
  const limits = ['--cap', '50%', '--budget', '2', '--json'];
  const { stdout } = simulate('--trace', trace, ...policies, ...limits);
  const rows: { policy: string; cold: number; idleMemory: number }[] = JSON.parse(stdout);
  expect(rows.map(({ policy }) => policy)).toEqual(names);
  for (const { idleMemory } of rows) expect(idleMemory).toBeLessThanOrEqual(3);
});

test.each([
  [[], 'which trace? --trace FILE'],
  [['--trace', 'gone.csv'], 'cannot read gone.csv'],
  [['--cap=-1', '--trace', 'x'], '--cap -1: expected memory above 0'],
  [['--parked', '0.3', '--trace', 'x'], '--parked 0.3: expected a share from 0% to 100%'],
  [['--tracee', 'x'], "Unknown option '--tracee'"],
])('%j ends with status 1 and one message', (args, message) => {
  const { status, stderr } = simulate(...args);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
  expect(status).toBe(1);
});
