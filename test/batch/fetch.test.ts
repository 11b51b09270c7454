import { readdir, rm, symlink } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Int32, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import { expect, test } from 'vitest';
import { openRows } from '#batch/rows/open-rows.ts';
import { useTeardown } from '#test/teardown.ts';
import { inputOf, makeFolder, readAll } from './row-files.ts';
import { rowsOf } from './tables.ts';

const end = useTeardown();
const CSV = 'id,x\n1,0.5\n2,1.5\n';
const ARROW = tableToIPC(new Table({ id: vectorFromArray([1, 2], new Int32()) }), 'file');

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  end(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

test('rows behind an address are fetched once', async () => {
  let asked = 0;
  const host = await serve((_request, response) => {
    asked++;
    response.end(CSV);
  });
  const folder = join(await makeFolder(end), 'fetched');
  for (const _ of ['first', 'again']) {
    const source = await openRows(inputOf(`${host}/data.csv?token=x`, { folder }));
    expect(rowsOf(await readAll(source))).toEqual([
      [1n, 0.5],
      [2n, 1.5],
    ]);
    await source.close();
  }
  expect(asked).toBe(1);
  expect(await readdir(folder)).toHaveLength(1);
});

test('redirects are followed, five of them', async () => {
  const host = await serve((request, response) => {
    const left = Number(request.url?.split('/')[1]);
    if (left > 0) response.writeHead(302, { location: `/${left - 1}/data.csv` }).end();
    else response.end(CSV);
  });
  const folder = await makeFolder(end);
  const source = await openRows(inputOf(`${host}/5/data.csv`, { folder }));
  await source.close();
  await expect(openRows(inputOf(`${host}/6/data.csv`, { folder }))).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringContaining('redirects more than 5 times'),
  });
});

test.each([
  [
    'a file by a redirect',
    302,
    { location: 'file:///etc/passwd' },
    '',
    'invalid',
    'expected http or https',
  ],
  ['an answer of another kind', 404, {}, '', 'invalid', 'answered 404: expected 200'],
  ['a server that is down', 503, {}, '', 'unavailable', 'answered 503'],
  [
    'more than may be fetched',
    200,
    {},
    'x'.repeat(2 ** 20 + 1),
    'too_large',
    'more than 1048576 bytes',
  ],
  [
    'more than may be fetched, as declared',
    200,
    { 'content-length': '9999999' },
    '',
    'too_large',
    'more than 1048576 bytes',
  ],
] as const)('refused: %s', async (_what, status, headers, body, code, message) => {
  const host = await serve((_request, response) => {
    response.writeHead(status, headers);
    if (body === '') response.flushHeaders();
    response.end(body);
  });
  const folder = await makeFolder(end);
  await expect(openRows(inputOf(`${host}/data.csv`, { folder }))).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message),
  });
  expect(await readdir(folder)).toEqual([]);
});

test('an answer that breaks off leaves nothing', async () => {
  const host = await serve((request, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write(CSV, () => request.socket.destroy());
  });
  const folder = await makeFolder(end);
  await expect(openRows(inputOf(`${host}/data.csv`, { folder }))).rejects.toMatchObject({
    code: 'unavailable',
  });
  expect(await readdir(folder)).toEqual([]);
});

test.each([
  ['fetched', 'data.csv', Buffer.from(CSV), '-data.csv'],
  ['unpacked', 'data.arrow.gz', gzipSync(ARROW), '.unpacked'],
])('what was %s and is not on disk is not taken for whole', async (_what, name, bytes, ending) => {
  const host = await serve((_request, response) => response.end(bytes));
  const input = inputOf(`${host}/${name}`, { folder: await makeFolder(end) });
  await (await openRows(input)).close();
  const whole = (await readdir(input.folder)).find((one) => one.endsWith(ending)) ?? '';
  await rm(join(input.folder, whole));
  // Takes all that is written, and refuses fsync, as a disk that fails.
  await symlink('/dev/null', join(input.folder, `${whole}.partial`));
  await expect(openRows(input)).rejects.toThrow('fsync');
  expect(await readdir(input.folder)).not.toContain(whole);
});

test('private hosts only where that is allowed, redirects to them too', async () => {
  const host = await serve((_request, response) => response.end(CSV));
  const fetch = { maxBytes: 1000, privateHosts: false };
  const folder = await makeFolder(end);
  for (const address of [host, host.replace('127.0.0.1', 'localhost')]) {
    await expect(openRows(inputOf(`${address}/data.csv`, { folder, fetch }))).rejects.toMatchObject(
      {
        code: 'forbidden',
      },
    );
  }
});
