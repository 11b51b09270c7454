import type { MeasureRecord } from '#domain/measures.ts';
import type {
  Actor,
  EventRecord,
  ModelRecord,
  RevisionRecord,
  UsageRecord,
} from '#domain/records.ts';

export const actor: Actor = { id: 'local', role: 'admin' };

export function modelRecord(name: string, generation = 1): ModelRecord {
  return {
    document: {
      apiVersion: 'rouse.dev/v1alpha1',
      kind: 'Model',
      metadata: { name },
      spec: { revision: { runtime: 'command', args: ['./server', '--port', '${PORT}'] } },
    },
    generation,
    createdAt: 1,
    updatedAt: 1,
    updatedBy: actor,
  };
}

export function revisionRecord(model: string, name: string): RevisionRecord {
  return {
    namespace: 'default',
    model,
    name,
    ordinal: 1,
    spec: { runtime: 'command', args: ['./server'] },
    digest: 'a'.repeat(64),
    state: 'Ready',
    reason: '',
    proven: true,
    coldStartSeconds: 0.25,
    createdAt: 1,
    createdBy: actor,
  };
}

export function eventOf(model: string, why = 'because'): Omit<EventRecord, 'id'> {
  return { at: 1.5, namespace: 'default', model, type: 'ModelApplied', why, actor };
}

export function usageOf(model: string, minute: number, arrivals = 1): UsageRecord {
  return {
    namespace: 'default',
    model,
    revision: 'v1',
    minute,
    arrivals,
    coldArrivals: 1,
    busySeconds: 0.5,
    coldSeconds: 0.25,
    memoryByteSeconds: 1e12,
  };
}

/** One value of `accuracy`. */
export function measureOf(
  minute: number,
  value: number,
  more: Partial<MeasureRecord> = {},
): MeasureRecord {
  const sums = { count: 1, sum: value, sumSquares: value ** 2, low: value, high: value };
  return {
    namespace: 'default',
    model: 'a',
    revision: 'v1',
    name: 'accuracy',
    minute,
    ...sums,
    points: [[value, 1]],
    ...more,
  };
}
