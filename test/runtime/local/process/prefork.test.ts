import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import fc from 'fast-check';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Extra, GroupEnd, Program } from '#runtime/local/process/group.ts';
import { canBeTold } from '#runtime/local/process/prefork.ts';
import { createSpawner, type Spawner } from '#runtime/local/process/spawner.ts';
import { systemClock } from '#lib/clock.ts';
import { until } from '#test/until.ts';

let spawner: Spawner;
beforeEach(() => {
  const log = pino({ level: 'silent' });
  spawner = createSpawner({ environment: {}, clock: systemClock, log });
});
afterEach(async () => {
  spawner.kill('the test is over');
  await spawner.close();
});

interface Ran {
  readonly pid: number | undefined;
  readonly said: string;
  readonly end: GroupEnd;
}

async function run(program: Omit<Program, 'cwd'>, extra: Extra, cwd = '/'): Promise<Ran> {
  let pid: number | undefined;
  const lines: string[] = [];
  const ended = Promise.withResolvers<GroupEnd>();
  spawner.start({ ...program, cwd }, extra, {
    onStart: (leader) => (pid = leader.pid),
    onLine: (_, text) => lines.push(text),
    onExit: () => {},
    onEnd: ended.resolve,
  });
  const end = await ended.promise;
  return { pid, said: lines.join('\n'), end };
}

/** Of the spawner: what it has forked and is no program yet. */
function shells(): number[] {
  const parent = spawner.pid();
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number);
}

async function forkedAhead(): Promise<number> {
  await until('one is forked ahead', () => shells().length === 1);
  return shells()[0] ?? 0;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Says what a process knows of itself. */
const SAY = `const { readFileSync, readlinkSync, readdirSync } = require('node:fs');
const stat = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
const fds = readdirSync('/proc/self/fd').filter((fd) => fd < 4).join();
console.log(JSON.stringify({
  args: process.argv.slice(1), env: process.env, cwd: process.cwd(), stdin: readlinkSync('/proc/self/fd/0'), fds,
  leads: Number(stat[2]) === process.pid && Number(stat[3]) === process.pid,
  umask: process.umask(), signals: readFileSync('/proc/self/status', 'utf8').match(/^Sig(Blk|Ign).*$/gm),
}))`;
const NODE = { path: process.execPath, args: ['-e', SAY.replaceAll('\n', ' '), '--'] };

describe('a program in a process that was there before', () => {
  test('finds nothing else than any other', async () => {
    const hard = [
      '',
      ' a  b ',
      '-n',
      '$(id) `id` $HOME',
      '*',
      'it\'s \\ "it" \\n',
      '.',
      'é ✓',
      'd/tmp',
    ];
    const environment = {
      A: 'x=y',
      EMPTY: '',
      _B1: hard.join(' '),
      PWD: '/else',
      PATH: '/usr/bin',
    };
    const program = { ...NODE, args: [...NODE.args, ...hard], environment };
    const first = await run(program, 'pipe', '/tmp');
    const pid = await forkedAhead();
    const second = await run(program, 'pipe', '/tmp');
    expect(first.pid).not.toBe(pid);
    expect(second.pid).toBe(pid);
    expect(JSON.parse(second.said)).toEqual(JSON.parse(first.said));
    expect(JSON.parse(second.said)).toMatchObject({ args: hard, env: environment, leads: true });
  });

  test('gets what it is told, whatever that is', async () => {
    const word = fc
      .string({ unit: 'binary', maxLength: 40 })
      .filter((text) => !/[\n\0]/.test(text) && text.isWellFormed());
    const path = '/bin/sh';
    const script = 'od -An -v -tx1 /proc/$$/cmdline /proc/$$/environ';
    const hexOf = (words: readonly string[]): string =>
      Buffer.from(words.map((each) => `${each}\0`).join('')).toString('hex');
    const property = fc.asyncProperty(
      fc.array(word, { maxLength: 4 }),
      word,
      async (more, value) => {
        await run({ path: '/bin/true', args: [], environment: {} }, 'pipe');
        const pid = await forkedAhead();
        const args = ['-c', script, ...more];
        const ran = await run({ path, args, environment: { A: value } }, 'pipe');
        expect(ran.pid).toBe(pid);
        expect(ran.said.replaceAll(/\s/g, '')).toBe(hexOf([path, ...args, `A=${value}`]));
      },
    );
    await fc.assert(property, { numRuns: 30 });
  });

  test.each(['a.b', 'a-b', '1a', '', 'OPTIND', 'UID', 'IFS', 'BASH_ENV'])(
    'is not told of a variable called %j: it is forked as ever',
    async (name) => {
      const environment = { [name]: '1' };
      expect(canBeTold({ args: [], cwd: '/', environment })).toBe(false);
      expect(canBeTold({ args: ['a\nb'], cwd: '/', environment: {} })).toBe(false);
    },
  );

  test('that is more than a shell reads soon, or holds a line break, is forked as ever', async () => {
    for (const args of [['x'.repeat(3000)], ['a\nb']]) {
      await run({ path: '/bin/true', args: [], environment: {} }, 'pipe');
      const pid = await forkedAhead();
      const ran = await run({ path: '/bin/echo', args, environment: {} }, 'pipe');
      expect(ran.said).toBe(args[0]);
      expect(ran.pid).not.toBe(pid);
    }
  });

  test('that cannot be started says why as ever', async () => {
    const missing = { path: '/no/such/program', args: [], environment: {} };
    const before = await run(missing, 'pipe');
    await forkedAhead();
    expect((await run(missing, 'pipe')).end).toEqual(before.end);
    expect(before.end.how).toMatch(/^cannot be started: .*ENOENT/);
  });

  test('is one that was killed meanwhile: the next is forked as ever', async () => {
    const program = { path: '/bin/echo', args: ['x'], environment: {} };
    await run(program, 'pipe');
    const pid = await forkedAhead();
    process.kill(pid, 'SIGKILL');
    await until('its end is known', () => shells().length === 0);
    expect(await run(program, 'pipe')).toMatchObject({ said: 'x', end: { status: 0 } });
  });

  test('ends with the process that has forked it', async () => {
    await run({ path: '/bin/true', args: [], environment: {} }, 'pipe');
    const pid = await forkedAhead();
    process.kill(spawner.pid() ?? 0, 'SIGKILL');
    await until('it is gone', () => !isAlive(pid));
  });
});

describe('a listening socket that was there before', () => {
  const SERVE = `const server = require('node:http').createServer((_, answer) => {
    server.close(); answer.setHeader('connection', 'close').end('here'); }).listen({ fd: 3 })`;
  const server = {
    path: process.execPath,
    args: ['-e', SERVE.replaceAll('\n', ' ')],
    environment: {},
  };

  async function bound() {
    const made = createServer();
    await new Promise<void>((resolve) => void made.listen(0, '127.0.0.1', resolve));
    await run({ path: '/bin/true', args: [], environment: {} }, made);
    const pid = await forkedAhead();
    let found = spawner.takeBound();
    await until('it is told', () => (found ??= spawner.takeBound()) !== undefined);
    if (!found) throw new Error('there is none');
    return { socket: found, pid };
  }

  test('holds what is asked until its program is there', async () => {
    const { socket, pid } = await bound();
    const answer = new Promise<string>((resolve, reject) => {
      get({ port: socket.port, host: '127.0.0.1', agent: false }, (response) => {
        response.setEncoding('utf8').once('data', resolve);
      }).once('error', reject);
    });
    const ran = run(server, socket);
    expect(await answer).toBe('here');
    expect((await ran).pid).toBe(pid);
  });

  test('is given once', async () => {
    await bound();
    expect(spawner.takeBound()).toBeUndefined();
  });

  test('goes when it is not wanted', async () => {
    const { socket, pid } = await bound();
    socket.discard();
    await until('its process is gone', () => !isAlive(pid));
  });

  test('that has gone is no fault of the program', async () => {
    const { socket, pid } = await bound();
    process.kill(pid, 'SIGKILL');
    await until('its end is known', () => shells().length === 0);
    expect((await run(server, socket)).end).toMatchObject({ status: null, isLost: true });
  });

  test('does not hide why its program cannot be started', async () => {
    const { socket } = await bound();
    const { end } = await run({ ...server, path: '/no/such/program' }, socket);
    expect(end.how).toMatch(/^cannot be started: .*ENOENT/);
  });
});
