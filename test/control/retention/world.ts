import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createArtifactKeys } from '#control/usecases/artifact-keys.ts';
import { type Batch, type Control, createControl } from '#control/control.ts';
import type { RetentionDefaults } from '#domain/retention.ts';
import { silentLog } from '#lib/log.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { Store } from '#store/store.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { createFakeRuntime, type FakeRuntime } from '#test/runtime/fake.ts';
import { until } from '#test/until.ts';
import { createFakeOutlet, type FakeOutlet, rest } from '../harness.ts';
import { type Killable, makeKillable } from './killable.ts';

/** Control over a store and content that outlive it, however often it is killed. */
export interface World {
  readonly clock: FakeClock;
  /** As they are, whoever lives. */
  readonly store: Store;
  readonly artifacts: Artifacts;
  /** Of content. */
  readonly folder: string;
  readonly life: Life;
  /** Waits until all that was set off has been done, files included. */
  rest(): Promise<void>;
  /** Once it is dead, or after an end in order, it begins anew. */
  begin(): Promise<void>;
  end(): Promise<void>;
  close(): Promise<void>;
}

export interface Life {
  readonly control: Control;
  readonly runtime: FakeRuntime;
  readonly outlet: FakeOutlet;
  readonly killable: Killable;
}

const MEMORY = '/dev/shm';

export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export async function createWorld(
  retention: RetentionDefaults,
  more: { readonly batch?: Batch } = {},
): Promise<World> {
  // In memory where there is such a place: very many are made, and each write waits for the disk.
  const place = existsSync(MEMORY) ? MEMORY : tmpdir();
  const folder = await mkdtemp(join(place, 'rouse-retention-'));
  const clock = createFakeClock();
  const store = await createSqliteStore({ path: ':memory:', clock });
  const artifacts = await createArtifactFolder({ folder, clock });
  const artifactKeys = createArtifactKeys(new Uint8Array(32));

  async function start(): Promise<Life> {
    const killable = makeKillable({ store, artifacts });
    // What is dead hears no clock.
    const own = {
      now: () => clock.now(),
      after: (ms: number, run: () => void) =>
        clock.after(ms, () => {
          if (!killable.isDead) run();
        }),
    };
    const runtime = createFakeRuntime({ clock: own, startMs: 100 });
    const outlet = createFakeOutlet();
    const control = await createControl({
      store: killable.store,
      artifacts: killable.artifacts,
      artifactKeys,
      runtime,
      publisher: outlet,
      clock: own,
      log: silentLog,
      settings: { memoryBudget: Infinity, proofsAtOnce: 4, retention },
      ...more,
    });
    return { control, runtime, outlet, killable };
  }

  let life = await start();

  async function end(): Promise<void> {
    await life.control.close();
    await life.runtime.close(0);
    life.killable.killAfter(0);
  }

  return {
    clock,
    store,
    artifacts,
    folder,
    get life() {
      return life;
    },
    async rest() {
      do await rest();
      while (life.killable.underWay > 0);
    },
    async begin() {
      await until('what was under way has ended', () => life.killable.underWay === 0);
      await rest();
      life = await start();
    },
    end,
    async close() {
      // A kill that a test announced and that did not come is not to come now: nothing would answer any more.
      if (!life.killable.isDead) {
        life.killable.killAfter(Infinity);
        await end();
      }
      await until('what was under way has ended', () => life.killable.underWay === 0);
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}
