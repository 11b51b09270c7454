import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeArchive } from '#knative/image/archive.ts';
import { tarHeader } from '#knative/image/tar.ts';
import { makeProgramImage } from './images.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-images-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function tar(...args: string[]): string {
  return execFileSync('tar', args, { cwd: folder, encoding: 'utf8' });
}

// One of them fills its last block exactly.
test.each([1, 1024, 100_001])(
  'an archive with a program of %i bytes is read by tar',
  async (size) => {
    const program = join(folder, 'program');
    const bytes = Buffer.alloc(size, 'rouse');
    writeFileSync(program, bytes);
    const made = await makeProgramImage('some/hello', program);
    writeFileSync(join(folder, 'image.tar'), await buffer(makeArchive([made])));
    tar('-xf', 'image.tar');
    const [image] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    expect(image.RepoTags).toEqual(['dev.local/some/hello:v1']);

    const [layer] = image.Layers;
    const config = JSON.parse(readFileSync(join(folder, image.Config), 'utf8'));
    const digest = createHash('sha256').update(readFileSync(join(folder, layer)));
    expect(config.rootfs.diff_ids).toEqual([`sha256:${digest.digest('hex')}`]);
    expect(config.config).toMatchObject({ Entrypoint: ['/ko-app/hello'], User: '65532:65532' });

    expect(layer).toBe(`blobs/sha256/${made.layers[0]?.digest}`);

    const listed = tar('-tvf', layer).replaceAll(/ +/g, ' ');
    expect(listed).toContain('drwxrwxrwt 0/0 0');
    expect(listed).toContain(`-rwxr-xr-x 0/0 ${size}`);
    tar('-xf', layer);
    expect(readFileSync(join(folder, 'ko-app/hello')).equals(bytes)).toBe(true);
  },
);

test('what the format cannot say is refused', () => {
  const fits = { mode: 0o644, size: 8 ** 11 - 1 };
  expect(tarHeader({ ...fits, name: 'a'.repeat(100) })).toHaveLength(512);
  expect(() => tarHeader({ ...fits, name: 'a'.repeat(101) })).toThrow('too long');
  expect(() => tarHeader({ ...fits, name: 'a', size: 8 ** 11 })).toThrow('too many');
});
