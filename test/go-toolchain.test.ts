import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { CHECKSUMS, ensureGo, findMissingGo, PLATFORM } from './go-toolchain.ts';
import { useTeardown } from './teardown.ts';

const teardown = useTeardown();
let folder: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-go-'));
  teardown(() => rm(folder, { recursive: true }));
  env = { PATH: `${folder}:${process.env['PATH']}`, XDG_CACHE_HOME: join(folder, 'cache') };
});

/** A Go that says this of its version. Asked for a module it unpacks one, and says this in JSON. */
async function installGo(version: string, downloaded: object = {}, status = 0): Promise<string> {
  const path = join(folder, 'go');
  const script = `#!/bin/sh
if [ "$1" = env ]; then echo '${version}'; exit; fi
echo "$@" >> ${folder}/asked
root="$GOMODCACHE/$4"
mkdir -p "$root/bin" "$root/pkg/tool/linux" "$root/src/cmd"
echo 'module std' > "$root/src/_go.mod"
echo 'module cmd' > "$root/src/cmd/_go.mod"
for file in bin/go pkg/tool/linux/compile; do
  printf '#!/bin/sh\necho it runs\n' > "$root/$file"
  chmod 444 "$root/$file"
done
echo '${JSON.stringify(downloaded)}'
exit ${status}
`;
  await writeFile(path, script, { mode: 0o755 });
  return path;
}

test.each(['go1.26.0', 'go1.27rc1'])('%s is taken as it is', async (version) => {
  const go = await installGo(version);
  expect(await ensureGo(env)).toBe(go);
});

test.each(['go1.19.8', 'go1.25.9'])(
  '%s fetches a newer one, which is complete, and is there from then on',
  async (version) => {
    await installGo(version, { Sum: CHECKSUMS[PLATFORM] });
    const go = await ensureGo(env);
    expect(go).toContain(join(folder, 'cache', 'rouse', 'go'));
    const root = join(go, '../..');
    for (const program of [go, join(root, 'pkg/tool/linux/compile')]) {
      expect(execFileSync(program, { encoding: 'utf8' })).toBe('it runs\n');
    }
    expect(await readFile(join(root, 'src/go.mod'), 'utf8')).toBe('module std\n');
    expect(await readFile(join(root, 'src/cmd/go.mod'), 'utf8')).toBe('module cmd\n');
    expect(await ensureGo(env)).toBe(go);
    const asked = await readFile(join(folder, 'asked'), 'utf8');
    expect(asked).toMatch(
      /^mod download -json golang\.org\/toolchain@v0\.0\.1-go1\.26\.\d+\.\w+-\w+\n$/,
    );
  },
);

test('what has another checksum is not taken, the next time neither', async () => {
  await installGo('go1.19.8', { Sum: 'h1:another' });
  for (const _ of ['once', 'twice']) {
    await expect(ensureGo(env)).rejects.toThrow(
      /golang\.org\/toolchain@.* was not fetched by .*\/go: its checksum is h1:another$/,
    );
  }
});

test('what cannot be fetched is told in the words of Go', async () => {
  await installGo('go1.19.8', { Error: 'no such host' }, 1);
  await expect(ensureGo(env)).rejects.toThrow(/was not fetched by .*\/go: no such host$/);
});

test('an abort ends it', async () => {
  await installGo('go1.19.8', { Sum: CHECKSUMS[PLATFORM] });
  const reason = new Error('ended by SIGINT');
  await expect(ensureGo(env, AbortSignal.abort(reason))).rejects.toThrow(reason);
  expect(existsSync(join(folder, 'asked'))).toBe(false);
});

test.each([
  ['', 'older'],
  ['go1.18.10', 'go1.18.10'],
])('Go that says "%s" is too old to fetch one', async (version, said) => {
  const path = await installGo(version);
  const missing = `Go 1.19 or newer: https://go.dev/doc/install; ${path} is ${said}`;
  expect(findMissingGo(env)).toBe(missing);
  await expect(ensureGo(env)).rejects.toThrow(missing);
});
