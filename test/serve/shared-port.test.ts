import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { listen } from '#activator/sockets/listen.ts';
import { findSharedPort, holdPort } from '#serve/shared-port.ts';
import { useTeardown } from '#test/teardown.ts';

const teardown = useTeardown();

/** As the system looks for a free port: a socket in use there is in the way. Every server of Node would be let in. */
function bind(port: number): void {
  const program = 'import socket, sys; socket.socket().bind(("127.0.0.1", int(sys.argv[1])))';
  execFileSync('python3', ['-c', program, String(port)], { stdio: 'pipe' });
}

async function listenAt(port: number, sharePort: boolean): Promise<void> {
  const server = createServer();
  await listen(server, { host: '127.0.0.1', port, sharePort });
  teardown(() => server.close());
}

test.each([
  ['shared', findSharedPort, true],
  ['of one process', holdPort, false],
] as const)(
  'a free port, %s, is kept for those who are told it, until they listen',
  async (_, find, isShared) => {
    const port = await find({ host: '127.0.0.1', port: 0 });
    expect(() => bind(port)).toThrow('Address already in use');
    await listenAt(port, isShared);
    if (isShared) await listenAt(port, true);
  },
);

test('one that somebody has is refused', async () => {
  const port = await holdPort({ host: '127.0.0.1', port: 0 });
  await listenAt(port, true);
  await expect(findSharedPort({ host: '127.0.0.1', port })).rejects.toThrow('the port is in use');
});
