import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { putModel, hostOf, untilModel } from '../measure/model.ts';
import { freePort, type Program, startProgram } from '../measure/program.ts';
import { type Rouse, startRouse } from '../measure/rouse.ts';
import { ensureTool, type ToolName } from './tools.ts';

/** The model that all route to: by its host name, to two revisions, 90 and 10 percent. */
const MODEL = 'bench';
export const HOST = hostOf(MODEL);
/** More than any row has connections: the slots are counted, but nobody waits for one. */
const SLOTS = 20_000;

/** Which program each of them is. */
const PROGRAMS = {
  rouse: undefined,
  haproxy: 'haproxy',
  nginx: 'nginx',
  go: 'goproxy',
  caddy: 'caddy',
  traefik: 'traefik',
} as const satisfies Record<string, ToolName | undefined>;

export type PeerName = keyof typeof PROGRAMS;
export const PEERS: readonly PeerName[] = ['rouse', 'haproxy', 'nginx', 'go', 'caddy', 'traefik'];

export function toolOf(name: PeerName): ToolName | undefined {
  return PROGRAMS[name];
}

/** A proxy that runs. */
export interface Peer extends Program {
  readonly name: PeerName;
  readonly port: number;
}

export interface PeerOptions {
  /** Empty, for its configuration and state. */
  readonly folder: string;
  /** The port of the instance. */
  readonly upstream: number;
  readonly say: (text: string) => void;
}

/** The one instance behind all of them. */
export async function startInstance(
  say: (text: string) => void,
): Promise<Program & { readonly port: number }> {
  const port = await freePort();
  const program = await ensureTool('instance', say);
  return { port, ...(await startProgram(program, ['port', String(port)], port)) };
}

export async function startPeer(name: PeerName, options: PeerOptions): Promise<Peer> {
  const folder = join(options.folder, name);
  await mkdir(folder);
  if (name === 'rouse') return await startRousePeer(folder, options.upstream);
  const port = await freePort();
  const words = { FOLDER: folder, PORT: port, UPSTREAM: options.upstream, HOST };
  const program = await ensureTool(PROGRAMS[name], options.say);
  const args = await ARGS[name]({
    port,
    upstream: options.upstream,
    fill: (file) => fillIn(file, words),
  });
  // Each has one thread that works; those of Go have helpers, as Node has.
  const env = { GOMAXPROCS: '1', HOME: folder };
  return { name, port, ...(await startProgram(program, args, port, { cwd: folder, env })) };
}

/** How each is told its configuration. */
const ARGS: Record<Exclude<PeerName, 'rouse'>, (place: Place) => Promise<string[]>> = {
  haproxy: async ({ fill }) => ['-db', '-f', await fill('haproxy.cfg')],
  nginx: async ({ fill }) => ['-c', await fill('nginx.conf')],
  go: async ({ port, upstream }) => [`127.0.0.1:${port}`, `http://127.0.0.1:${upstream}`],
  caddy: async ({ fill }) => ['run', '--adapter', 'caddyfile', '--config', await fill('Caddyfile')],
  async traefik({ fill }) {
    await fill('traefik-routes.yaml');
    return [`--configFile=${await fill('traefik.yaml')}`];
  },
};

interface Place {
  readonly port: number;
  readonly upstream: number;
  /** Writes a configuration with its words filled in, and gives its path. */
  readonly fill: (file: string) => Promise<string>;
}

/** A configuration with its `${…}` filled in, in the peer's folder. */
async function fillIn(file: string, words: Record<string, string | number>): Promise<string> {
  const text = await readFile(join(import.meta.dirname, file), 'utf8');
  const filled = text.replace(/\$\{([A-Z]+)\}/g, (whole, word: string) =>
    String(words[word] ?? whole),
  );
  const path = join(String(words['FOLDER']), basename(file));
  await writeFile(path, filled);
  return path;
}

/** Rouse as users start it, with everything on that a model has by default. */
async function startRousePeer(folder: string, upstream: number): Promise<Peer> {
  const { pid, port, stop } = await startRouseFor(folder, upstream, false);
  return { name: 'rouse', pid, port, stop };
}

/** A Rouse with the model, ready to be called. `probed`: it tells what its threads use. */
export async function startRouseFor(
  folder: string,
  upstream: number,
  probed: boolean,
): Promise<Rouse> {
  const rouse = await startRouse(folder, probed);
  try {
    const revision = { runtime: 'url', source: `http://127.0.0.1:${upstream}`, concurrency: SLOTS };
    await putModel(rouse, MODEL, {
      revisions: [
        { name: 'v1', ...revision },
        { name: 'v2', ...revision },
      ],
      traffic: [
        { revision: 'v1', percent: 90 },
        { revision: 'v2', percent: 10 },
      ],
      scaling: { min: 1, max: 1 },
    });
    await untilModel(rouse, MODEL, ({ instances }) => {
      return instances.filter(({ state }) => state === 'ready').length === 2;
    });
    return rouse;
  } catch (error) {
    await rouse.stop();
    throw error;
  }
}
