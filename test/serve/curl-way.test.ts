import { execFile } from 'node:child_process';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findCurlWay } from '#serve/curl-way.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from '#test/e2e/platform.ts';
import { makeCertificate } from '#test/fixtures/certificate.ts';

const SAMPLES = resolve(import.meta.dirname, '../../functions/samples');
const DAY_MS = 24 * 60 * 60 * 1000;
const AT = 'https://127.0.0.1:8443';
const runFile = promisify(execFile);

let folder: string;
let platform: Platform | undefined;

beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await platform?.end();
  platform = undefined;
  await removeFolder(folder);
});

type Given = Parameters<typeof makeCertificate>;

/** Files of such certificates, `0.pem` and so on. */
async function write(...given: readonly Given[]) {
  return await Promise.all(
    given.map(async (each, index) => {
      const made = makeCertificate(...each);
      const [certificate, key] = [join(folder, `${index}.pem`), join(folder, `${index}.key`)];
      await writeFile(certificate, made.certificate);
      await writeFile(key, made.key);
      return { certificate, key };
    }),
  );
}

const NOT_LOOPBACK = { isForLoopback: false };
const byName = (name: string, file: string) => ({
  origin: `https://${name}:8443`,
  certificate: file,
  resolve: `${name}:8443:127.0.0.1`,
});

test.each<[string, Given[], (folder: string) => object]>([
  ['is for the address', [[['a.test']]], (at) => ({ origin: AT, certificate: join(at, '0.pem') })],
  ['is for a name', [[['a.test'], NOT_LOOPBACK]], (at) => byName('a.test', join(at, '0.pem'))],
  [
    'is for hosts of models and a name',
    [[['*.default.localhost', 'm.default.localhost', 'a.test'], NOT_LOOPBACK]],
    (at) => byName('a.test', join(at, '0.pem')),
  ],
  [
    'is for the address, but the second one',
    [[['a.test'], NOT_LOOPBACK], [['b.test']]],
    (at) => byName('a.test', join(at, '0.pem')),
  ],
  [
    'is for no name, but the second one',
    [[['*.a.test'], NOT_LOOPBACK], [['b.test']]],
    (at) => byName('b.test', join(at, '1.pem')),
  ],
  [
    'is for no name',
    [[['*.a.test'], NOT_LOOPBACK]],
    () => ({ why: "no certificate is for 127.0.0.1 or another host that is no model's" }),
  ],
  [
    'is not valid any more',
    [[['a.test'], { from: Date.now() - 3 * DAY_MS }]],
    (at) => ({ why: `${join(at, '0.pem')} is not valid now` }),
  ],
])('with a certificate that %s', async (_, given, expected) => {
  const tls = await write(...given);
  const entry = { tls, proxyProtocol: false, domain: 'localhost' };
  expect(findCurlWay(entry, AT, Date.now())).toEqual(expected(folder));
});

test('a certificate that is gone is told', async () => {
  const tls = await write([['a.test']]);
  await rm(join(folder, '0.pem'));
  const why = expect.stringMatching(/0\.pem cannot be read/);
  const entry = { tls, proxyProtocol: false, domain: 'localhost' };
  expect(findCurlWay(entry, AT, Date.now())).toEqual({ why });
});

/** What is printed once the model of a folder is there. */
async function start(...args: string[]): Promise<string> {
  await mkdir(join(folder, 'models/lang'), { recursive: true });
  for (const file of ['lang.yaml', 'lang']) {
    await cp(join(SAMPLES, file), join(folder, 'models', file), { recursive: true });
  }
  platform = await startPlatform(folder, { args: ['--apply', 'models', '--pool', '0', ...args] });
  return await platform.until(/deploy NAME FILE/);
}

test.each<[string, NonNullable<Given[1]>]>([
  ['an address', {}],
  ['a name', NOT_LOOPBACK],
])('the line that is printed works as it is, by TLS with %s (needs curl)', async (_, options) => {
  const [files] = await write([['rouse.test'], options]);
  const tls = ['--tls-certificate', files?.certificate ?? '', '--tls-key', files?.key ?? ''];
  const output = await start(...tls);
  const line = /^ {2}(curl .*)$/m.exec(output)?.[1] ?? '';
  const { stdout } = await runFile('sh', ['-c', line], { cwd: folder });
  expect(JSON.parse(stdout)).toMatchObject({ name: 'lang' });
  await writeFile(join(folder, 'own.mjs'), 'export default () => new Response("own")');
  const deployed = await platform!.rouse('deploy', 'own', 'own.mjs');
  const own = /^ {2}(curl .*)$/m.exec(deployed.stdout)?.[1] ?? '';
  expect((await runFile('sh', ['-c', own])).stdout).toBe('own');
});

test('behind a proxy that says the PROXY header none is printed, and why is', async () => {
  await start('--proxy-protocol', '--trusted-proxies', '127.0.0.1');
  const output = await platform!.until(/No request to paste: .*\n/);
  expect(output).not.toMatch(/^ +curl/m);
  expect(output).toContain(
    'No request to paste: connections begin with PROXY protocol v2, which curl does not speak.\n',
  );
});
