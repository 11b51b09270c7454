import type { JobShown } from '#control/jobs/jobs.ts';
import type { ScheduleShown } from '#control/schedules/scheduler.ts';
import type { ModelView } from '#control/usecases/usecases.ts';
import { isProgram } from '#domain/job.ts';
import { hostLabel, partsOfRevisionKey } from '#domain/names.ts';
import { hasEnded } from '#domain/schedule-run.ts';
import type {
  InstanceView,
  JobView,
  KeyView,
  ModelResource,
  RevisionView,
  ScheduleView,
} from '#domain/views.ts';
import type { KeyRecord } from '#domain/records.ts';
import type { RolloutRecord } from '#domain/rollout.ts';

type StoredRevision = ModelView['revisions'][number];
type Instance = ModelView['instances'][number];

/** Where the data plane is reached. */
export interface Places {
  readonly dataPlane: string;
  readonly domain: string;
}

export function makeModelView(view: ModelView, places: Places): ModelResource {
  const { document, generation, owner, createdAt, updatedAt } = view.value;
  return {
    ...document,
    status: {
      state: view.state,
      version: view.version,
      generation,
      ...(owner && { owner }),
      createdAt,
      updatedAt,
      addresses: makeAddresses(view, places),
      traffic: view.targets.flatMap(({ revision, percent, tag, match }) =>
        revision === undefined
          ? []
          : [{ revision, percent, ...(tag !== undefined && { tag }), ...(match && { match }) }],
      ),
      ...(view.shadow && {
        shadow: { revision: view.shadow.revision, percent: view.shadow.percent },
      }),
      ...(view.rollout && { rollout: makeRolloutSummary(view.rollout) }),
      revisions: view.revisions.map(({ value }) => ({
        name: value.name,
        runtime: value.spec.runtime,
        state: value.state,
        reason: value.reason,
        createdAt: value.createdAt,
      })),
      instances: view.instances.map(makeInstanceView),
      retention: view.retention,
      ...(view.selection && { selection: view.selection }),
    },
  };
}

function makeRolloutSummary({ phase, stable, canary, percent, why }: RolloutRecord) {
  return { phase, stable, canary, percent, why };
}

export function makeRevisionView(stored: StoredRevision): RevisionView {
  return stored.value;
}

/** Its address stays inside: where an instance listens is between the data plane and the runtime. */
export function makeInstanceView(instance: Instance): InstanceView {
  const { id, state, askedAt, startedAt, readyAt, memoryBytes, cpuSeconds } = instance;
  const revision = partsOfRevisionKey(instance.revision).revision;
  return { id, revision, state, askedAt, startedAt, readyAt, memoryBytes, cpuSeconds };
}

export function makeJobView({ value, progress }: JobShown): JobView {
  return isProgram(value) ? value : { ...value, ...(progress && { progress }) };
}

export function makeScheduleView({ schedule, nextAt, runs }: ScheduleShown): ScheduleView {
  const { document, createdAt, updatedAt, updatedBy, missed } = schedule.value;
  const last = runs.at(-1);
  return {
    ...document,
    status: {
      version: schedule.version,
      createdAt,
      updatedAt,
      updatedBy: updatedBy.id,
      ...(nextAt !== undefined && { nextAt }),
      active: runs.filter((run) => !hasEnded(run)).map(({ id }) => id),
      ...(last && { last }),
      missed,
    },
  };
}

export function makeKeyView({ hash: _hash, ...key }: KeyRecord): KeyView {
  return key;
}

function makeAddresses(view: ModelView, { dataPlane, domain }: Places) {
  const { namespace, name } = view;
  const path = `${dataPlane}/models/${namespace}/${name}/`;
  const { port, protocol } = new URL(dataPlane);
  const hostOf = (tag?: string): string =>
    `${protocol}//${hostLabel(name, tag)}.${namespace}.${domain}${port === '' ? '' : `:${port}`}/`;
  const tags = view.targets.flatMap(({ tag }) =>
    tag === undefined ? [] : [[tag, hostOf(tag)] as const],
  );
  const infer = `v2/models/${name}/infer`;
  return {
    path,
    host: hostOf(),
    infer: namespace === 'default' ? `${dataPlane}/${infer}` : path + infer,
    tags: Object.fromEntries<string>(tags),
  };
}
