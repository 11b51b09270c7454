import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Figure, figureOf, rotate } from '../measure/figures.ts';
import { attack } from '../measure/vegeta.ts';
import { HOST, type Peer, type PeerName } from '../peers/peers.ts';

/** Of the goal. Far below what any of them can do: what is seen is their latency, not their queue. */
export const RATE = 1000;

/** Latency when requests come at their own times, in milliseconds. */
export interface OpenLoop {
  readonly peer: PeerName;
  readonly p50Ms: Figure;
  readonly p99Ms: Figure;
  /** p99 over HAProxy's, round by round. */
  readonly p99ToHaproxy?: Figure;
  readonly failed: number;
}

interface Sample {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

export interface OpenLoopOptions {
  readonly vegeta: string;
  readonly folder: string;
  readonly rounds: number;
  readonly seconds: number;
}

export async function measureOpenLoop(
  peers: readonly Peer[],
  options: OpenLoopOptions,
): Promise<OpenLoop[]> {
  const found = new Map<PeerName, Sample[]>(peers.map(({ name }) => [name, []]));
  for (const peer of peers) await attackPeer(peer, { ...options, seconds: 1 });
  for (let round = 0; round < options.rounds; round++) {
    for (const peer of rotate(peers, round))
      found.get(peer.name)?.push(await attackPeer(peer, options));
  }
  const base = found.get('haproxy');
  return [...found].map(([peer, own]) => summarise(peer, own, base));
}

function summarise(
  peer: PeerName,
  own: readonly Sample[],
  base: readonly Sample[] | undefined,
): OpenLoop {
  return {
    peer,
    p50Ms: figureOf(own.map(({ p50Ms }) => p50Ms)),
    p99Ms: figureOf(own.map(({ p99Ms }) => p99Ms)),
    ...(base && {
      p99ToHaproxy: figureOf(own.map(({ p99Ms }, round) => p99Ms / (base[round]?.p99Ms ?? 1))),
    }),
    failed: own.reduce((sum, { failed }) => sum + failed, 0),
  };
}

async function attackPeer(
  peer: Peer,
  { vegeta, folder, seconds }: OpenLoopOptions,
): Promise<Sample> {
  const targets = join(folder, 'targets');
  const results = join(folder, 'results');
  await writeFile(targets, `GET http://127.0.0.1:${peer.port}/\nHost: ${HOST}\n`);
  return await attack(vegeta, { targets, results }, RATE, seconds);
}
