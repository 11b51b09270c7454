import { expect, test } from 'vitest';
import { MISSING, NEEDS, sayMissing } from './live/cluster.ts';
import {
  findMissing,
  type Machine,
  requireMachine,
  requireOutside,
  thisMachine,
} from './requirements.ts';
import { runProgram } from './run-program.ts';

function machine(options: {
  platform?: NodeJS.Platform;
  isRoot?: boolean;
  lacks?: readonly string[];
}): Machine {
  const { platform = 'linux', isRoot = true, lacks = [] } = options;
  return {
    platform,
    isRoot,
    find: (program) => (lacks.includes(program) ? undefined : `/usr/bin/${program}`),
    exists: (path) => !lacks.includes(path),
    findMissingGo: () => (lacks.includes('go') ? 'Go 1.19 or newer' : undefined),
  };
}

test('a machine that has all of it', () => {
  expect(findMissing(machine({}))).toEqual([]);
  requireMachine(machine({}));
});

test.each([
  [{ platform: 'darwin' as const }, 'Linux: this is darwin'],
  [{ isRoot: false }, 'root: start it with sudo'],
  [{ lacks: ['go'] }, 'Go 1.19 or newer'],
  [
    { lacks: ['containerd', 'ctr', 'nft', '/usr/lib/cni/bridge'] },
    'packages of Debian: apt-get install --no-install-recommends containerd nftables containernetworking-plugins',
  ],
  [
    { lacks: ['/proc/sys/net/bridge/bridge-nf-call-iptables'] },
    'the kernel module br_netfilter: modprobe br_netfilter',
  ],
])('%j: it is said what would help', (lacking, said) => {
  expect(findMissing(machine(lacking))).toEqual([said]);
});

test('all that is missing is told at once', () => {
  const poor = machine({ isRoot: false, lacks: ['go', 'runc'] });
  expect(() => requireMachine(poor)).toThrow(
    /this machine lacks:\n {2}- root.*\n {2}- Go .*\n {2}- packages of Debian.* runc$/,
  );
});

test('what the box needs may not lie in a folder that is another one there', () => {
  requireOutside(['/srv/project', '/var/library', '/runner']);
  for (const path of ['/var/lib/ci/project', '/run/x', '/var/log']) {
    expect(() => requireOutside([path])).toThrow(`${path} is in `);
  }
});

/** `npm test` makes no cluster, but says by name what a machine lacks for one. */
test(`the system's programs that a cluster is made of run here ${NEEDS}`, async ({ skip }) => {
  if (MISSING.length > 0) sayMissing();
  skip(MISSING.length > 0);
  for (const program of ['containerd', 'ctr', 'runc', 'nft', 'iptables', 'conntrack', 'nsenter']) {
    const path = thisMachine(process.env).find(program);
    const { code, stderr } = await runProgram([path ?? '', '--version']);
    expect({ program, code, stderr }).toMatchObject({ program, code: 0 });
  }
});
