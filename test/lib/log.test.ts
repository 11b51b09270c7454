import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** What a process writes that logs like this: the log goes to its stderr, nowhere else. */
function logged(code: string, terminal = false): { stdout: string; stderr: string } {
  const program = `import { createLog } from '#lib/log.ts'; const log = createLog({ terminal: ${terminal} }); ${code}`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', program],
    { cwd: ROOT, encoding: 'utf8' },
  );
  expect(status, stderr).toBe(0);
  return { stdout, stderr };
}

test('one line of JSON each, on stderr', () => {
  const { stdout, stderr } = logged(
    `log.info({ model: 'digits' }, 'one'); log.debug('no'); log.warn('two');`,
  );
  expect(stdout).toBe('');
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { level: 30, model: 'digits', msg: 'one' },
    { level: 40, msg: 'two' },
  ]);
});

test('a terminal is told the time of the place, with its offset; JSON keeps milliseconds', () => {
  const zone = `process.env.TZ = 'Asia/Kolkata';`;
  const { stderr } = logged(`${zone} log.info('one')`, true);
  const [, time = ''] = /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0530)\]/.exec(stderr) ?? [];
  expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(600_000);
  const line = JSON.parse(logged(`log.info('one')`).stderr) as { time: unknown };
  expect(line.time).toBeTypeOf('number');
});

test.each([
  `log.info({ token: 'S3CRET' })`,
  `log.info({ headers: { Authorization: 'Bearer S3CRET' } })`,
  `log.info({ request: { headers: { cookie: 'a=S3CRET' } } })`,
  `log.info({ all: [{ 'set-cookie': ['S3CRET'] }] })`,
  `log.info({ key: { secret: 'S3CRET' } })`,
  `log.info({ user: { password: { is: 'S3CRET' } } })`,
  `log.info({ 'X-Api-Key': 'S3CRET' })`,
  `log.child({ token: 'S3CRET' }).info('x')`,
])('hides secrets: %s', (code) => {
  for (const terminal of [false, true]) {
    const { stderr } = logged(code, terminal);
    expect(stderr).not.toContain('S3CRET');
    expect(stderr).toContain('[hidden]');
  }
});

test('does not hide what only sounds like it, and ends where it is too deep', () => {
  const { stderr } = logged(
    `const loop = { tokens: 7 }; loop.loop = loop; log.info({ tokens: 5, cookies: 'two', loop });`,
  );
  expect(JSON.parse(stderr)).toMatchObject({ tokens: 5, cookies: 'two', loop: { tokens: 7 } });
});

test('an error is printed with its message and stack', () => {
  const { stderr } = logged(`log.error({ err: new Error('broken') }, 'it');`);
  expect(JSON.parse(stderr)).toMatchObject({
    msg: 'it',
    err: { type: 'Error', message: 'broken' },
  });
});
