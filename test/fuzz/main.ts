import { parseArgs } from 'node:util';
import { findMissingGo } from '#test/go-toolchain.ts';
import { runInputs } from './campaign.ts';
import { startGoPeer } from './go-peer.ts';
import { createNodePeer } from './node-peer.ts';
import { createRandom } from './random.ts';
import { makeRequests } from './requests.ts';
import { makeResponse } from './responses.ts';
import { createRig } from './rig.ts';

/** `npm run fuzz -- [--inputs N] [--seed S] [--from INDEX] | --replay SEED:INDEX` */
const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '200000' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000_000}` },
    from: { type: 'string', default: '0' },
    replay: { type: 'string' },
  },
});
const STEP = 100_000;

const rig = await createRig();
const missingGo = findMissingGo(process.env);
if (missingGo) console.log(`Compared with llhttp only. For more it needs ${missingGo}`);
const go = missingGo ? undefined : await startGoPeer();
const peers = { rig, node: createNodePeer(), go };
const [seed = 0, only] = (values.replay ?? values.seed).split(':').map(Number);
let failed = false;

if (only !== undefined) {
  const random = createRandom(seed, only);
  const isResponse = random.chance(0.15);
  const given = isResponse ? makeResponse(random) : { bytes: makeRequests(random) };
  console.log({ ...given, bytes: given.bytes.toString('latin1') });
}
const from = only ?? Number(values.from);
const to = only === undefined ? from + Number(values.inputs) : only + 1;
console.log(`seed ${seed}, inputs ${from} to ${to}`);
const totals = { inputs: 0, forwarded: 0, responses: 0, refused: 0 };
for (let at = from; at < to && !failed; at += STEP) {
  const tally = await runInputs(peers, seed, at, Math.min(to, at + STEP));
  for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += tally[key];
  for (const finding of tally.findings) console.log(finding);
  failed = tally.findings.length > 0;
  console.log(totals, `cpu ${Math.round(process.cpuUsage().user / 1e6)}s`);
}
await go?.close();
await rig.close();
process.exitCode = failed ? 1 : 0;
