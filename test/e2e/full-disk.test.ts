import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { call } from '#test/activator/harness.ts';
import { withTinyDisk } from '#test/store/tiny-disk.ts';
import { makeFolder, removeFolder, startPlatform } from './platform.ts';

const FUNCTION = 'export default () => new Response("here");\n';

test('a full disk: what does not fit is refused with the reason, what is there goes on', async (context) => {
  await withTinyDisk(context, async (disk) => {
    const folder = await makeFolder();
    await mkdir(join(disk, 'state'));
    const platform = await startPlatform(folder, { args: ['--data', join(disk, 'state')] });
    await writeFile(join(folder, 'small.ts'), FUNCTION);
    await writeFile(
      join(folder, 'large.ts'),
      `${FUNCTION}// ${randomBytes(4 << 20).toString('hex')}\n`,
    );
    const small = await platform.rouse('deploy', 'small', './small.ts');
    expect(small.status, small.stderr).toBe(0);
    const large = await platform.rouse('deploy', 'large', './large.ts');
    expect(large.status).toBe(1);
    expect(large.stderr).toMatch(/full|no space/i);
    const answer = await call(platform.port, '/models/default/small/');
    expect(answer).toMatchObject({ status: 200, body: 'here' });
    expect((await platform.rouse('delete', 'small')).status).toBe(0);
    expect(await platform.end()).toBe(0);
    await removeFolder(folder);
  });
});
