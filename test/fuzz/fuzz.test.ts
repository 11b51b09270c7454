import { afterAll, beforeAll, expect, test } from 'vitest';
import { findMissingGo } from '#test/go-toolchain.ts';
import { runInputs, type Peers } from './campaign.ts';
import { type GoPeer, startGoPeer } from './go-peer.ts';
import { createNodePeer } from './node-peer.ts';
import { createRig, type Rig } from './rig.ts';

/**
 * Whatever the data plane takes, other parsers read from what it forwards as the same sequence of requests; and
 * its caller reads the answers as it did. `npm run fuzz -- --replay SEED:INDEX` repeats one input.
 */
const INPUTS = 50_000;
const FRESH = Date.now() % 1_000_000_000;
const LACKS_GO = findMissingGo(process.env) !== undefined;
/** A Go that is too old fetches a newer one. */
const SETUP_MS = 300_000;

let rig: Rig;
let go: GoPeer | undefined;

beforeAll(async () => {
  rig = await createRig();
  if (!LACKS_GO) go = await startGoPeer();
}, SETUP_MS);

afterAll(async () => {
  await go?.close();
  await rig.close();
});

async function check(seed: number, inputs: number, peers: Peers): Promise<void> {
  const tally = await runInputs(peers, seed, 0, inputs);
  expect(tally.findings).toEqual([]);
  // Most inputs must mean something: a generator that makes nothing but rubbish finds nothing.
  expect(tally.forwarded).toBeGreaterThan(inputs / 2);
  expect(tally.refused).toBeGreaterThan(inputs / 5);
  expect(tally.responses).toBeGreaterThan(inputs / 10);
}

test('llhttp reads the same: 5000 inputs', () =>
  check(7, 5000, { rig, node: createNodePeer(), go: undefined }));

test.skipIf(LACKS_GO)(
  `llhttp and Go read the same: 200000 inputs, a quarter of them of seed ${FRESH} (needs go)`,
  async () => {
    const peers = { rig, node: createNodePeer(), go };
    for (const seed of [1, 2, 3, FRESH]) await check(seed, INPUTS, peers);
  },
  600_000,
);
