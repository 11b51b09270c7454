import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Image, makeArchive } from '#knative/image/archive.ts';
import { nameActivator } from '#knative/image/image.ts';
import { keepLayer, packLayer } from '#knative/image/layer.ts';

let folder: string;
let image: Image;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-archive-'));
  const layers = ['base', 'top'].map(async (name) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'file'), name);
    return await packLayer(join(folder, name), join(folder, `${name}.tar`));
  });
  const config = { Entrypoint: ['/file'] };
  image = { name: 'dev.local/a:v1', layers: await Promise.all(layers), config };
});
afterEach(() => rmSync(folder, { recursive: true }));

async function unpack(known?: ReadonlySet<string>, images = [image]): Promise<string> {
  const archive = join(folder, 'image.tar');
  writeFileSync(archive, await buffer(makeArchive(images, known)));
  const target = mkdtempSync(join(folder, 'unpacked-'));
  execFileSync('tar', ['-xf', archive, '-C', target]);
  return target;
}
interface Blob {
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}
const read = (...path: string[]): unknown => JSON.parse(readFileSync(join(...path), 'utf8'));
const blob = (target: string, { digest }: Blob): string =>
  join(target, 'blobs', digest.replace(':', '/'));

function readManifest(target: string): { described: Blob; config: Blob; layers: Blob[] } {
  const { manifests } = read(target, 'index.json') as { manifests: Blob[] };
  const [described] = manifests;
  if (!described) throw new Error('the index is empty');
  return { described, ...(read(blob(target, described)) as { config: Blob; layers: Blob[] }) };
}

test('an image layout: from the index to the manifest to config and layers, each by its digest and size', async () => {
  const target = await unpack();
  const { described, config, layers } = readManifest(target);
  expect(described.annotations).toEqual({ 'io.containerd.image.name': 'dev.local/a:v1' });
  for (const each of [described, config, ...layers]) {
    const bytes = readFileSync(blob(target, each));
    expect(each.size).toBe(bytes.length);
    expect(each.digest).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  }
  expect(read(blob(target, config))).toMatchObject({
    config: { Entrypoint: ['/file'] },
    rootfs: { diff_ids: layers.map(({ digest }) => digest) },
  });
});

test('what Docker reads names the same files', async () => {
  const target = await unpack();
  type Docker = { Config: string; RepoTags: string[]; Layers: string[] };
  const [docker] = read(target, 'manifest.json') as Docker[];
  expect(docker?.RepoTags).toEqual(['dev.local/a:v1']);
  expect(existsSync(join(target, docker?.Config ?? 'none'))).toBe(true);
  const files = docker?.Layers.map((path) =>
    execFileSync('tar', ['-xOf', join(target, path), './file'], { encoding: 'utf8' }),
  );
  expect(files).toEqual(['base', 'top']);
});

test('images of the same layers are in one archive, and each layer once', async () => {
  const other: Image = { ...image, name: 'dev.local/b:v1', config: { Entrypoint: ['/other'] } };
  const target = await unpack(undefined, [image, other]);
  const { manifests } = read(target, 'index.json') as { manifests: Blob[] };
  const seen = manifests.map((each) => {
    const { config, layers } = read(blob(target, each)) as { config: Blob; layers: Blob[] };
    const { config: settings } = read(blob(target, config)) as { config: Image['config'] };
    const name = each.annotations?.['io.containerd.image.name'];
    return { name, config: settings, layers: layers.map(({ digest }) => digest) };
  });
  const layers = image.layers.map(({ digest }) => `sha256:${digest}`);
  expect(seen).toEqual([image, other].map(({ name, config }) => ({ name, config, layers })));
  const docker = read(target, 'manifest.json') as { RepoTags: string[] }[];
  expect(docker.map(({ RepoTags }) => RepoTags)).toEqual([['dev.local/a:v1'], ['dev.local/b:v1']]);
  const listed = execFileSync('tar', ['-tf', join(folder, 'image.tar')], { encoding: 'utf8' });
  for (const { digest } of image.layers) expect(listed.split(digest)).toHaveLength(2);
});

test.each([
  ['rouse:1', 'rouse-activator:1'],
  ['registry.example:5000/team/rouse:1', 'registry.example:5000/team/rouse-activator:1'],
  ['registry.example:5000/team/rouse', 'registry.example:5000/team/rouse-activator'],
])("%s: the activator's is %s", (name, activator) => {
  expect(nameActivator(name)).toBe(activator);
});

test('a layer that who gets the archive has already is named, and not sent', async () => {
  const [base, top] = image.layers.map(({ digest }) => digest);
  const target = await unpack(new Set([base ?? '']));
  expect(readManifest(target).layers).toHaveLength(2);
  expect(existsSync(join(target, `blobs/sha256/${base}`))).toBe(false);
  expect(existsSync(join(target, `blobs/sha256/${top}`))).toBe(true);
});

test('a layer is made once for what goes into it, whole or not at all', async () => {
  const cache = join(folder, 'cache');
  let made = 0;
  const fill = async (root: string): Promise<void> => {
    made += 1;
    writeFileSync(join(root, 'file'), `made ${made}`);
  };
  const broken = (): Promise<void> => Promise.reject(new Error('no network'));
  await expect(keepLayer(cache, 'some', ['one'], broken)).rejects.toThrow('no network');
  const first = await keepLayer(cache, 'some', ['one'], fill);
  const again = await keepLayer(cache, 'some', ['one'], fill);
  expect(made).toBe(1);
  expect(again.digest).toBe(first.digest);
  expect(await buffer(again.read())).toHaveLength(first.size);
  const other = await keepLayer(cache, 'some', ['two'], fill);
  expect(made).toBe(2);
  expect(other.digest).not.toBe(first.digest);
});

test('two that make the same layer at once both have it', async () => {
  const fill = async (root: string): Promise<void> => writeFileSync(join(root, 'file'), 'same');
  const make = () => keepLayer(join(folder, 'cache'), 'some', ['one'], fill);
  const [one, other] = await Promise.all([make(), make()]);
  expect(one.digest).toBe(other.digest);
  expect(await buffer(other.read())).toHaveLength(one.size);
});
