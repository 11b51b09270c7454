import type { RoutingInstance, RoutingModel } from '#domain/routing.ts';
import type { StateChange } from '#bus/subscriber.ts';

export function modelOf(name: string, generation = 1, platform = ''): RoutingModel {
  return {
    namespace: 'default',
    name,
    generation,
    targets: [{ revision: 'v1', percent: 100 }],
    queue: { requests: 10, bytes: 1000 },
    revisions: [
      {
        name: 'v1',
        runtime: 'onnx',
        state: 'Ready',
        reason: '',
        concurrency: 1,
        timeouts: { hold: 1, run: 1, idle: 0, drain: 1 },
        retry: 'never',
        coldStartSeconds: 0,
        platform,
        inputs: [],
        outputs: [],
      },
    ],
  };
}

export function instanceOf(id: string): RoutingInstance {
  return {
    id,
    revision: 'default/a/v1',
    address: { node: 'n', socket: `/tmp/${id}` },
    state: 'ready',
    askedAt: 0,
    startedAt: 0,
    readyAt: 0,
  };
}

/** What a data plane makes of the changes that it is told. */
export function createMirror() {
  const models = new Map<string, number>();
  const instances = new Set<string>();
  const changes: StateChange[] = [];
  return {
    models,
    instances,
    changes,
    onState(this: void, change: StateChange): void {
      changes.push(change);
      if (change.full) {
        models.clear();
        instances.clear();
      }
      for (const key of change.removedModels) models.delete(key);
      for (const id of change.removedInstances) instances.delete(id);
      for (const model of change.models) {
        models.set(`${model.namespace}/${model.name}`, model.generation);
      }
      for (const { id } of change.instances) instances.add(id);
    },
  };
}
