import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const FOLDER = resolve(import.meta.dirname, '../../load-tests');

test.each([
  ['soak', ['--minutes', 'x'], '--minutes: found x, expected a whole number from 1 on'],
  ['cold', ['--wakes', '0'], '--wakes: found 0, expected a whole number from 1 on'],
  ['cold', ['--rows', 'c,none'], 'none is unknown; there are c, command, '],
  ['scale', ['--rounds', '-1'], "'--rounds' argument is ambiguous"],
  ['burst', ['--seconds', '1.5'], '--seconds: found 1.5, expected a whole number from 1 on'],
  ['crowd', ['--places', 'all'], '--places: found all, expected a whole number from 1 on'],
  ['scaling', ['--tried', '1,17'], '--tried: found 17, expected numbers above 0, to 16'],
  ['scaling', ['--tried', '0'], '--tried: found 0, expected numbers above 0, to 16'],
  ['proxy', ['--connections', ''], '--connections: found , expected a whole number from 1 on'],
  ['k6', ['--scripts', 'all'], 'all is unknown; there are bursty, '],
  ['keepalive', ['--nothing'], "Unknown option '--nothing'"],
])('%s %j: nothing is measured, and what is wrong is said in a line', (name, args, message) => {
  const program = resolve(FOLDER, name, 'main.ts');
  const run = spawnSync(process.execPath, ['--no-warnings', program, ...args], {
    encoding: 'utf8',
  });
  expect(run.status).toBe(2);
  expect(run.stdout).toBe('');
  expect(run.stderr).toContain(message);
  expect(run.stderr).not.toContain('    at ');
});
