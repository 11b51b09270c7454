import { type Figure, figureOf, rotate } from '../measure/figures.ts';
import { pause } from '../measure/until.ts';
import { usageOf } from '../measure/process.ts';
import { type Load, runWrk } from '../measure/wrk.ts';
import { HOST, type Peer, type PeerName } from '../peers/peers.ts';

/** Until connections are closed, and what they left has been cleaned up. */
const SETTLE_MS = 150;

/** One round of one peer. */
interface Sample {
  readonly cpuMicros: number;
  readonly mainMicros: number;
  readonly perSecond: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly failed: number;
}

/** A figure of a peer, and how many times that of each baseline it is, round by round. */
export interface Compared extends Figure {
  readonly to: Readonly<Partial<Record<PeerName, Figure>>>;
}

export interface PeerRow {
  readonly peer: PeerName;
  /** CPU per request of the whole process, in microseconds. */
  readonly cpuMicros: Compared;
  /** Of its first thread alone. */
  readonly mainMicros: Figure;
  readonly perSecond: Compared;
  readonly p50Micros: Compared;
  readonly p99Micros: Compared;
  readonly failed: number;
}

export interface Row {
  readonly name: string;
  readonly peers: readonly PeerRow[];
}

export interface ClosedLoopOptions {
  readonly wrk: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly baselines: readonly PeerName[];
}

/** Each peer in turn, so many rounds; every round begins with another one. */
export async function measureRow(
  load: Load,
  peers: readonly Peer[],
  options: ClosedLoopOptions,
): Promise<Row> {
  const found = new Map<Peer, Sample[]>(peers.map((peer) => [peer, []]));
  for (const peer of peers) await measureOnce(load, peer, options);
  for (let round = 0; round < options.rounds; round++) {
    for (const peer of rotate(peers, round)) {
      found.get(peer)?.push(await measureOnce(load, peer, options));
    }
  }
  const samples = new Map([...found].map(([peer, all]) => [peer.name, all]));
  return {
    name: load.name,
    peers: [...samples].map(([peer]) => summarise(peer, samples, options)),
  };
}

async function measureOnce(load: Load, peer: Peer, options: ClosedLoopOptions): Promise<Sample> {
  await pause(SETTLE_MS);
  const before = usageOf(peer.pid);
  const to = { origin: `http://127.0.0.1:${peer.port}`, headers: { Host: HOST } };
  const summary = await runWrk(options.wrk, to, load, options.seconds);
  const after = usageOf(peer.pid);
  const { requests, micros, p50Micros, p99Micros, failed } = summary;
  if (requests === 0) throw new Error(`${peer.name} answered nothing of ${load.name}`);
  return {
    cpuMicros: (after.cpuMicros - before.cpuMicros) / requests,
    mainMicros: (after.mainMicros - before.mainMicros) / requests,
    perSecond: requests / (micros / 1e6),
    p50Micros,
    p99Micros,
    failed,
  };
}

function summarise(
  peer: PeerName,
  samples: ReadonlyMap<PeerName, readonly Sample[]>,
  { baselines }: ClosedLoopOptions,
): PeerRow {
  const own = samples.get(peer) ?? [];
  const compared = (of: keyof Sample): Compared => {
    const to: Partial<Record<PeerName, Figure>> = {};
    for (const baseline of baselines) {
      const others = samples.get(baseline);
      if (!others) continue;
      to[baseline] = figureOf(own.map((each, round) => each[of] / (others[round]?.[of] ?? 1)));
    }
    return { ...figureOf(own.map((each) => each[of])), to };
  };
  return {
    peer,
    cpuMicros: compared('cpuMicros'),
    mainMicros: figureOf(own.map((each) => each.mainMicros)),
    perSecond: compared('perSecond'),
    p50Micros: compared('p50Micros'),
    p99Micros: compared('p99Micros'),
    failed: own.reduce((sum, each) => sum + each.failed, 0),
  };
}
