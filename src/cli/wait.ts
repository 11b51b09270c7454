import { type ModelAnswer, readModel } from '#domain/read-views.ts';
import { Fault } from '#lib/fault.ts';
import type { AppliedModel } from './apply.ts';
import { type Client, modelPath } from './client.ts';
import { type Io, pause } from './io.ts';
import { suggest } from './suggest.ts';

/** Building an environment for Python may take minutes; what takes longer is watched with `rouse why`. */
const MAX_WAIT_MS = 15 * 60_000;
/** Most are settled by then; who waits longer is told for what, and when that changes. */
const SILENT_MS = 5000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;

export interface Settled {
  readonly state: 'Ready' | 'Failed';
  /** Why, with the last lines that it wrote; empty when it is Ready. */
  readonly reasons: readonly string[];
}

/** Waits until each revision of the document is Ready or has Failed. */
export async function waitUntilSettled(
  client: Client,
  applied: AppliedModel,
  io: Pick<Io, 'clock' | 'signal' | 'stderr'>,
): Promise<Settled> {
  const { namespace, name } = applied;
  const begun = io.clock.now();
  const why = suggest(['why', name], { server: client.server, namespace });
  let told = '';
  let ms = FIRST_PAUSE_MS;
  for (;;) {
    const model = await client.call({ path: modelPath(namespace, name) }, readModel);
    const revisions = ofInterest(model, applied);
    const open = revisions.find(isOpen);
    if (!open) return settle(name, revisions);
    if (io.signal.aborted || io.clock.now() > begun + MAX_WAIT_MS) {
      throw new Fault('unavailable', `${name} is not ready yet. See: ${why}`);
    }
    const news = `${name} ${open.name} is ${open.state}: ${open.reason.replace(/\.$/, '')}`;
    if (io.clock.now() > begun + SILENT_MS && news !== told) {
      told = news;
      io.stderr.write(`${news}. See: ${why}\n`);
    }
    await pause(io, ms);
    ms = Math.min(ms * 1.5, MAX_PAUSE_MS);
  }
}

type Revisions = ModelAnswer['status']['revisions'];

function isOpen({ state }: Revisions[number]): boolean {
  return state === 'Preparing' || state === 'Proving';
}

function ofInterest({ status }: ModelAnswer, { revisions }: AppliedModel): Revisions {
  return status.revisions.filter(({ name }) => revisions.includes(name));
}

function settle(model: string, revisions: Revisions): Settled {
  const failed = revisions.filter(({ state }) => state === 'Failed');
  const reasons = failed.map(({ name, reason }) => `${model} ${name}: ${reason}`);
  return { state: failed.length === 0 ? 'Ready' : 'Failed', reasons };
}
