import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Command, run, start } from './packaging/command.ts';
import { copyCheckout, install, pack, type Packed, ROOT } from './packaging/package.ts';

/** npm downloads Node and onnxruntime the first time. */
const INSTALL_MS = 300_000;
const VERSION: string = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;
/** Makes a Node believe that it is an old one; what it starts does not. */
const OLD = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.0.0'}})`;

let folder: string;
let packed: Packed;
const started: Command[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-package-'));
  await copyCheckout(join(folder, 'checkout'), { standIn: false });
  packed = await pack(join(folder, 'checkout'), folder);
}, INSTALL_MS);

afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL');
  await Promise.all(started.map(({ ended }) => ended));
  await rm(folder, { recursive: true, force: true });
});

function launch(program: string, args: readonly string[], cwd: string): Command {
  const command = start(program, args, { cwd });
  started.push(command);
  return command;
}

describe('what npm pack takes', () => {
  const paths = (): string[] => packed.files.map(({ path }) => path);

  test('the command, the build, the licence', () => {
    expect(paths()).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'package.json',
        'dist/package.json',
        'dist/src/main.js',
        'dist/src/domain/model.js',
        'src/rouse.js',
        'src/preinstall.js',
      ]),
    );
  });

  test('no tests, no sources, no state, no caches', () => {
    const outside = paths().filter(
      (path) =>
        !/^(dist\/|src\/(rouse|preinstall)\.js$|package\.json$|(README|CHANGELOG)\.md$|LICENSE$)/.test(
          path,
        ),
    );
    expect(outside).toEqual([]);
    const needless = paths().filter((path) =>
      /\.test\.|(^|\/)(test|load-tests|node_modules|__pycache__|\.rouse)\//.test(path),
    );
    expect(needless).toEqual([]);
    const sources = paths().filter((path) => path.endsWith('.ts'));
    expect(sources.filter((path) => !path.startsWith('dist/functions/samples/'))).toEqual([]);
  });

  test('every file that is not TypeScript and not a document', () => {
    for (const path of ['functions/python/serve.py', 'functions/samples/digits/three.json']) {
      if (existsSync(join(ROOT, path))) expect(paths()).toContain(`dist/${path}`);
    }
  });
});

describe('the build', () => {
  const built = (path: string): string => readFileSync(join(folder, 'checkout/dist', path), 'utf8');

  test('keeps lines, drops types, renames relative imports only', () => {
    const source = readFileSync(join(ROOT, 'src/domain/parse.ts'), 'utf8');
    const code = built('src/domain/parse.js');
    expect(code.split('\n')).toHaveLength(source.split('\n').length);
    expect(code).toContain("'./model.js'");
    expect(code).toContain("'#lib/fault.ts'");
    expect(code).not.toContain('unknown)');
  });

  test('maps #folder/file.ts to the JavaScript beside it', () => {
    const { imports } = JSON.parse(built('package.json'));
    expect(imports['#domain/*.ts']).toBe('./src/domain/*.js');
    expect(imports['#activator/*.ts']).toBe('./activator/*.js');
    expect(Object.keys(imports).filter((name) => name.startsWith('#test'))).toEqual([]);
  });
});

describe('src/rouse.js in a checkout', () => {
  const checkout = (): string => join(folder, 'stand-in');
  beforeAll(() => copyCheckout(checkout(), { standIn: true }));

  test('runs the sources, arguments passed on', async () => {
    const command = launch(process.execPath, ['src/rouse.js', 'serve', '--x'], checkout());
    const [line] = await command.sees(/node .*/);
    expect(line).toBe(`node ${process.versions.node} serve --x`);
    command.child.kill('SIGTERM');
    expect((await command.ended).status).toBe(7);
  });

  test('an old Node starts the one that npm brought, and passes on signals and status', async () => {
    const command = launch(process.execPath, ['--import', OLD, 'src/rouse.js', 'a'], checkout());
    const [line] = await command.sees(/node .*/);
    expect(line).toMatch(/^node 24\.\d+\.\d+ a$/);
    command.child.kill('SIGTERM');
    expect((await command.ended).status).toBe(7);
  });

  test('when the old Node is killed, the new one ends, too', async () => {
    const command = launch(process.execPath, ['--import', OLD, 'src/rouse.js'], checkout());
    await command.sees(/node .*/);
    command.child.kill('SIGKILL');
    // Its output closes only when the last process that has it is gone.
    expect((await command.ended).signal).toBe('SIGKILL');
  });
});

describe('the package, installed in an empty folder', () => {
  const place = (): string => join(folder, 'installed');
  const command = (): string => join(place(), 'node_modules/.bin/rouse');
  beforeAll(() => install(packed.path, place()), INSTALL_MS);

  test('npx rouse --version', async () => {
    const printed = await run('npx', ['--no-install', 'rouse', '--version'], { cwd: place() });
    expect(printed.trim()).toBe(VERSION);
  });

  test('an old Node finds the Node that npm installed beside it', async () => {
    const args = ['--import', OLD, command(), '--version'];
    expect((await run(process.execPath, args, { cwd: place() })).trim()).toBe(VERSION);
  });

  test('onnxruntime came without the CUDA libraries', () => {
    const bin = join(place(), 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64');
    const cuda = join(bin, 'libonnxruntime_providers_cuda.so');
    if (existsSync(cuda)) expect(statSync(cuda).size).toBe(0);
    expect(existsSync(join(bin, 'libonnxruntime.so.1'))).toBe(true);
  });

  test(
    'rouse serve and rouse deploy',
    async () => {
      const data = join(folder, 'data');
      const listen = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--data', data];
      // Not by npx: a signal would reach npx and the shell that it starts, not Rouse.
      const server = launch(command(), ['serve', ...listen], place());
      const requests = (await server.sees(/requests (http:\/\/\S+)/))[1] ?? '';
      const control = (await server.sees(/control (http:\/\/\S+)/))[1] ?? '';
      writeFileSync(join(place(), 'hello.ts'), HELLO);
      const deploy = [
        '--no-install',
        'rouse',
        '--server',
        control,
        'deploy',
        'hello',
        './hello.ts',
      ];
      expect(await run('npx', deploy, { cwd: place() })).toContain('hello');
      const first = await fetch(`${requests}/models/default/hello/`);
      expect([first.status, await first.text()]).toEqual([200, 'hello from default/hello']);

      const sample = 'node_modules/rouse/dist/functions/samples/digits';
      const digits = ['--no-install', 'rouse', '--server', control, 'deploy', 'digits'];
      await run('npx', [...digits, `./${sample}/v2.onnx`], { cwd: place() });
      const answer = await fetch(`${requests}/v2/models/digits/infer`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: readFileSync(join(place(), sample, 'three.json')),
      });
      expect(answer.status, await answer.text()).toBe(200);
      server.child.kill('SIGTERM');
      expect((await server.ended).status).toBe(0);
    },
    INSTALL_MS,
  );

  test('rouse serve with workers finds its programs', async () => {
    const data = join(folder, 'workers');
    const at = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--data', data];
    const server = launch(command(), ['serve', '--workers', '1', ...at], place());
    const requests = (await server.sees(/requests (http:\/\/\S+)/))[1] ?? '';
    expect((await fetch(`${requests}/healthz`)).status).toBe(200);
    server.child.kill('SIGTERM');
    expect((await server.ended).status).toBe(0);
  });
});

const HELLO = `
export default (request: Request): Response =>
  new Response(\`hello from \${process.env.ROUSE_NAMESPACE}/\${process.env.ROUSE_MODEL}\`);
`;

test(
  'where npm runs no install scripts, an old Node says what to do, and doing it helps',
  async () => {
    const place = join(folder, 'no-scripts');
    await install(packed.path, place, ['--ignore-scripts']);
    const command = join(place, 'node_modules/.bin/rouse');
    const args = ['--import', OLD, command, '--version'];
    const refused = await start(process.execPath, args, { cwd: place }).ended;
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('needs Node 24, and this is Node 20.0.0');
    expect(refused.stderr).toContain('npm install-scripts approve node && npm rebuild node');
    // Node 24 itself needs nothing else.
    expect((await run(process.execPath, [command, '--version'], { cwd: place })).trim()).toBe(
      VERSION,
    );

    await run('npm', ['install-scripts', 'approve', 'node'], { cwd: place });
    await run('npm', ['rebuild', 'node'], { cwd: place });
    expect((await run(process.execPath, args, { cwd: place })).trim()).toBe(VERSION);
  },
  INSTALL_MS,
);
