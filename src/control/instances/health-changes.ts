import { modelOf } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Catalog } from '../records/catalog.ts';
import { type HealthBook, isFarFrom } from '../health.ts';
import type { Journal } from '../records/journal.ts';
import type { Publishing } from '../data-planes/publish.ts';
import { isSuperseded, updateRevision } from '../revision-update.ts';

/** Called when what callers are told of a revision's health has changed: tells them, and stores its cold start. */
export function createHealthListener(options: {
  catalog: Catalog;
  journal: Journal;
  health: Pick<HealthBook, 'of'>;
  publishing: Pick<Publishing, 'model'>;
  clock: Clock;
  log: Log;
}): (revision: string) => void {
  const { catalog, health, publishing, log } = options;
  return (revision) => {
    publishing.model(modelOf(revision));
    const stored = catalog.revision(revision)?.value;
    const seconds = health.of(revision)?.coldStartSeconds ?? 0;
    if (stored?.state !== 'Ready' || seconds === 0) return;
    if (!isFarFrom(stored.coldStartSeconds, seconds)) return;
    const identity = { ...stored, key: revision };
    updateRevision(options, identity, { coldStartSeconds: seconds }).catch((error: unknown) => {
      if (isSuperseded(error)) return;
      log.warn({ revision, error: messageOf(error) }, 'a measured cold start was not stored');
    });
  };
}
