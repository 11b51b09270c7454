import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { putModel, type Spec } from '../measure/model.ts';
import { inParallel } from '../measure/parallel.ts';
import { pause } from '../measure/until.ts';
import type { Rouse } from '../measure/rouse.ts';

const AT_ONCE = 50;
const PAGE = 1000;
const run = promisify(execFile);

/** Longer than it takes to wake all that are called and to measure them awake. */
export const IDLE_SECONDS = 45;

export function nameOf(index: number): string {
  return `m-${String(index).padStart(5, '0')}`;
}

/** The program that all models run, as arguments of a model file, and what it is for the report. */
export async function makeServer(folder: string): Promise<{ args: string[]; what: string }> {
  const source = join(import.meta.dirname, 'tiny.c');
  const program = join(folder, 'tiny');
  try {
    await run('cc', ['-O2', '-o', program, source]);
    await access(program);
    return { args: [program, '${LISTEN_FD}'], what: 'tiny.c' };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    process.stderr.write(
      'There is no C compiler (cc): the models run tiny.py instead of tiny.c.\n',
    );
    const script = join(import.meta.dirname, 'tiny.py');
    return { args: ['python3', script, '${LISTEN_FD}'], what: 'tiny.py' };
  }
}

/** Gone soon after it was called. */
const FIXED: Spec = { policy: 'fixed', idle: `${IDLE_SECONDS}s` };

/** Registers so many models through the API, and waits until all are ready to be called. */
export async function register(
  rouse: Rouse,
  count: number,
  args: string[],
  keepAlive = FIXED,
): Promise<number> {
  const began = performance.now();
  await inParallel(count, AT_ONCE, async (index) => {
    await putModel(rouse, nameOf(index), makeSpec(args, keepAlive));
  });
  while ((await countReady(rouse)) < count) await pause(200);
  return performance.now() - began;
}

function makeSpec(args: string[], keepAlive: Spec): Spec {
  return {
    revision: { name: 'v1', runtime: 'command', args, resources: { memory: '4Mi' } },
    scaling: { initial: 0, max: 1 },
    keepAlive,
  };
}

interface Page {
  readonly items: readonly { readonly status: { readonly state: string } }[];
  readonly next?: string;
}

async function countReady({ control }: Rouse): Promise<number> {
  let ready = 0;
  for (let after = ''; ;) {
    const query = `limit=${PAGE}${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`;
    const response = await fetch(`${control}/api/v1/namespaces/default/models?${query}`);
    const page: Page = JSON.parse(await response.text());
    ready += page.items.filter(({ status }) => status.state !== 'Preparing').length;
    if (page.next === undefined) return ready;
    after = page.next;
  }
}

/** Where the state of the Rouse with so many models is. */
export function folderFor(parent: string, models: number): string {
  return join(parent, String(models));
}
