import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ProgramEnd, ProgramOrder, ProgramRunner } from '#control/jobs/program-runner.ts';
import { type ProgramRequest, programSpec } from '#domain/program-job.ts';
import type { ArtifactRef } from '#domain/records.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { putPath } from '#store/put-path.ts';
import { until } from '#test/until.ts';

/** What everybody may rely on who has programs of jobs run, wherever that is. */
export interface ProgramSetup {
  readonly runner: ProgramRunner;
  readonly artifacts: Artifacts;
  /** Programs that run now. */
  running(): Promise<number> | number;
  close(): Promise<void>;
}

/** `files`: a folder where data may be read by its path. */
type Create = (files: string) => Promise<ProgramSetup>;

const NODE = process.execPath;
const SLEEP = `console.log('here'); setInterval(() => {}, 1000);`;
/** Leaves what it was given as its model. */
const TELL = `const { readFileSync, writeFileSync } = require('node:fs');
const env = process.env;
const read = (path) => path === undefined ? undefined : readFileSync(path, 'utf8');
const told = {
  data: read(env.ROUSE_DATA), parent: read(env.ROUSE_PARENT), own: env.OWN, args: process.argv.slice(2),
  names: [env.ROUSE_NAMESPACE, env.ROUSE_JOB, env.ROUSE_MODEL, env.ROUSE_REVISION],
};
writeFileSync(env.ROUSE_OUTPUT + '/told.json', JSON.stringify(told));
writeFileSync('of-its-own', 'in the folder where it runs');
`;
const leave = (files: Readonly<Record<string, string>>): string =>
  Object.entries(files)
    .map(([name, text]) => {
      const path = `process.env.ROUSE_OUTPUT + ${JSON.stringify(`/${name}`)}`;
      const made = `require('node:fs').mkdirSync(require('node:path').dirname(${path}), { recursive: true })`;
      return `${made}; require('node:fs').writeFileSync(${path}, ${JSON.stringify(text)});`;
    })
    .join('\n');

export function describeProgramRunner(name: string, create: Create): void {
  describe(`programs, ${name}`, () => {
    let files: string;
    let setup: ProgramSetup;
    let count = 0;

    beforeEach(async () => {
      files = await realpath(await mkdtemp(join(tmpdir(), 'files-')));
      setup = await create(files);
    });
    afterEach(async () => {
      await setup.close();
      await rm(files, { recursive: true });
    });

    async function put(text: string, as: string): Promise<ArtifactRef> {
      const folder = await mkdtemp(join(files, 'put-'));
      await writeFile(join(folder, as), text);
      const signal = new AbortController().signal;
      return await putPath(setup.artifacts, join(folder, as), { maxBytes: 2 ** 20, signal });
    }

    async function makeOrder(
      part: Partial<ProgramRequest>,
      more: Partial<ProgramOrder> = {},
    ): Promise<ProgramOrder> {
      const spec = programSpec.parse({ kind: 'program', ...part });
      const id = `job-${++count}`;
      const parent = { revision: 'v1', artifact: await put('the parent', 'model.bin') };
      return { namespace: 'default', id, attempt: 1, spec, parent, ...more };
    }

    const makeScript = (script: string, part: Partial<ProgramRequest> = {}) =>
      makeOrder({ args: [NODE, '-e', script], model: 'm', ...part });

    async function finish(order: ProgramOrder): Promise<ProgramEnd> {
      await setup.runner.check(order);
      return await setup.runner.start(order).ended;
    }

    async function done(order: ProgramOrder) {
      const end = await finish(order);
      if (end.kind !== 'done') throw new Error(`it has ${end.kind}: ${end.why}`);
      return end.result;
    }

    async function textOf(ref: ArtifactRef | undefined): Promise<string> {
      if (!ref) throw new Error('there is nothing');
      return await readFile(await setup.artifacts.materialize(ref), 'utf8');
    }

    const linesOf = async (order: ProgramOrder): Promise<string[]> =>
      (await setup.runner.logs(order, 100)).map(({ text }) => text);

    test('a program has its code, data, parent and environment, each as it is', async () => {
      const source = `sha256:${(await put(TELL, 'tell.cjs')).digest}`;
      const data = `sha256:${(await put('rows', 'rows.csv')).digest}`;
      const args = [NODE, '${SOURCE}', '$(OWN) $$ ${OWN}'];
      const order = await makeOrder({ args, source, data, model: 'm', env: { OWN: '$(HOME)$$' } });
      const result = await done(order);
      expect(JSON.parse(await textOf(result.made?.artifact))).toEqual({
        data: 'rows',
        parent: 'the parent',
        own: '$(HOME)$$',
        args: ['$(OWN) $$ ${OWN}'],
        names: ['default', order.id, 'm', 'v1'],
      });
      expect(result.made?.artifact).toMatchObject({ name: 'told.json', kind: 'file' });
      expect(`sha256:${result.data?.digest}`).toBe(data);
      expect(result.seconds).toBeGreaterThanOrEqual(0);
    });

    test('one in the folder of its source is found there', async () => {
      const app = join(files, 'app');
      await mkdir(app);
      await writeFile(join(app, 'train'), `#!/bin/sh\nprintf trained > $ROUSE_OUTPUT/model\n`, {
        mode: 0o755,
      });
      const signal = new AbortController().signal;
      const { digest } = await putPath(setup.artifacts, app, { maxBytes: 2 ** 20, signal });
      const order = await makeOrder({ args: ['./train'], source: `sha256:${digest}`, model: 'm' });
      expect(await textOf((await done(order)).made?.artifact)).toBe('trained');
    });

    test('a source that is itself the program is run', async () => {
      const source = await put(`#!/bin/sh\nprintf $1 > $ROUSE_OUTPUT/model\n`, 'train.sh');
      const args = ['${SOURCE}', 'itself'];
      const order = await makeOrder({ args, source: `sha256:${source.digest}`, model: 'm' });
      expect(await textOf((await done(order)).made?.artifact)).toBe('itself');
    });

    test('what it has measured comes with what it has left, a folder, too', async () => {
      const metrics = { metrics: { accuracy: { value: 0.9, count: 10 } } };
      const made = {
        'app/a.txt': 'a',
        'app/in/b.txt': 'b',
        'metrics.json': JSON.stringify(metrics),
      };
      const result = await done(await makeScript(leave(made)));
      expect(result.made).toMatchObject({ ...metrics, parent: {} });
      expect(result.made?.artifact).toMatchObject({ name: 'app', kind: 'folder', size: 2 });
      const folder = await setup.artifacts.materialize(result.made!.artifact);
      expect(await readFile(join(folder, 'in/b.txt'), 'utf8')).toBe('b');
    });

    test('data by its path is kept as it was when the program began', async () => {
      const path = join(files, 'rows.csv');
      await writeFile(path, 'first');
      const source = `sha256:${(await put(TELL, 'tell.cjs')).digest}`;
      const order = await makeOrder({ args: [NODE, '${SOURCE}'], source, data: path, model: 'm' });
      const result = await done(order);
      await writeFile(path, 'second');
      expect(await textOf(result.data)).toBe('first');
      expect(JSON.parse(await textOf(result.made?.artifact))).toMatchObject({ data: 'first' });
    });

    test.each([
      ['nothing', {}, /left nothing in ROUSE_OUTPUT, expected one file or folder/],
      ['two things', { a: '1', b: '2' }, /left a, b in ROUSE_OUTPUT/],
      ['metrics of another form', { a: '1', 'metrics.json': '{"metrics":1}' }, /metrics\.json/],
    ])('one that leaves %s has failed', async (_, left, why) => {
      const end = await finish(await makeScript(leave(left)));
      expect(end).toMatchObject({ kind: 'failed', why: expect.stringMatching(why) });
    });

    test('what one without a model leaves is not looked at', async () => {
      const { parent: _, ...order } = await makeScript('');
      expect(await done(order)).not.toHaveProperty('made');
    });

    test('one that exits with another status has failed, with its last lines', async () => {
      const order = await makeScript('console.error("no rows"); process.exit(3)');
      const end = await finish(order);
      expect(end).toMatchObject({
        kind: 'failed',
        why: expect.stringMatching(/^its program exited with status 3 after .*\n {2}no rows$/),
      });
      expect(await linesOf(order)).toEqual(['no rows']);
    });

    test('one that is ended has ended, with what it has said', async () => {
      const order = await makeScript(SLEEP);
      const run = setup.runner.start(order);
      await until('it runs', async () => (await linesOf(order)).includes('here'));
      expect(await setup.running()).toBe(1);
      await run.end();
      await run.ended;
      expect(await setup.running()).toBe(0);
      expect(await linesOf(order)).toEqual(['here']);
      await setup.runner.clear(order);
      await setup.runner.clear(order);
    });

    test('each attempt begins anew', async () => {
      const script = `const { existsSync, writeFileSync } = require('node:fs');
        for (const name of ['mark', process.env.ROUSE_OUTPUT + '/model']) {
          if (existsSync(name)) process.exit(1);
          writeFileSync(name, 'made');
        }`;
      const order = await makeScript(script);
      expect(await textOf((await done(order)).made?.artifact)).toBe('made');
      const next = await setup.runner.start({ ...order, attempt: 2 }).ended;
      expect(next).toMatchObject({ kind: 'done', result: { made: { artifact: { size: 4 } } } });
    });

    test.each([
      [{ source: `sha256:${'0'.repeat(64)}` }, /source is sha256:0+, which was not pushed/],
      [{ data: `sha256:${'0'.repeat(64)}` }, /data is sha256:0+, which was not pushed/],
      [{ args: [NODE, '${SOURCE}'] }, /args name \$\{SOURCE\}, but there is no source/],
    ])('before it begins it is refused: %j', async (part, why) => {
      const order = await makeScript('', part);
      await expect(setup.runner.check(order)).rejects.toThrow(why);
    });

    test('data that is not there is refused', async () => {
      const order = await makeScript('', { data: join(files, 'missing') });
      await expect(setup.runner.check(order)).rejects.toThrow('there is no such file or folder');
    });
  });
}
