import type { RevisionLoad } from '#bus/messages.ts';
import type { ModelInput } from '#domain/model.ts';
import { type Harness, MIB, deployed, program } from '../harness.ts';

/** A model with signals that is in use, and whose instances use processor time as a test says. */

export function live(harness: Harness, key: string): number {
  const all = harness.runtime.instances(key);
  return all.filter(({ state }) => state === 'ready' || state === 'starting').length;
}

/** Deployed, and woken by one request. */
export async function awake(
  harness: Harness,
  scaling: NonNullable<ModelInput['spec']['scaling']>,
  name = 'm',
): Promise<string> {
  const key = await deployed(
    harness,
    {
      revision: program({ concurrency: 10, resources: { memory: '10Mi', cpu: 1 } }),
      keepAlive: { policy: 'fixed', idle: '60s' },
      scaling: { max: 20, ...scaling },
    },
    name,
  );
  harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
  await harness.pass(1);
  return key;
}

/** One request is running; all instances together use so many cores. */
export async function run(
  harness: Harness,
  key: string,
  seconds: number,
  cores: number,
  part: Partial<RevisionLoad> = {},
): Promise<void> {
  await harness.pass(seconds, () => {
    const ready = harness.runtime.instances(key).filter(({ state }) => state === 'ready');
    for (const { id, cpuSeconds } of ready) {
      harness.runtime.setMemory(id, 5 * MIB, cpuSeconds + cores / ready.length);
    }
    harness.load({ revision: key, inFlight: 1, concurrency: 1, arrivals: 10, ...part });
  });
}

export async function lastWhy(harness: Harness, type = 'ScaleDecided'): Promise<string> {
  return (await harness.events(type)).at(-1)?.why ?? '';
}
