import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { modelKey } from '#domain/names.ts';
import { parseDocument } from '#domain/parse.ts';
import type { Actor } from '#domain/records.ts';
import {
  scheduleDocument,
  type ScheduleInput,
  scheduleKey,
  type ScheduleSpec,
  taskOf,
} from '#domain/schedule.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, formatProblem } from '#lib/fault.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { Catalog } from '../records/catalog.ts';
import { checkMatch, checkPushed } from '../records/checks.ts';
import { NO_BATCHES, NO_PROGRAMS } from './job-usecases.ts';
import { requireRole } from '../roles.ts';
import type { KnownSchedule, ScheduleBook } from '../schedules/book.ts';
import { hasOtherTimes, makeEvent } from '../schedules/changes.ts';
import type { Scheduler, ScheduleShown } from '../schedules/scheduler.ts';
import { pageOf } from './page-of.ts';
import type { UseCases } from './usecases.ts';

type ScheduleUseCases = Pick<
  UseCases,
  'applySchedule' | 'getSchedule' | 'listSchedules' | 'deleteSchedule' | 'runSchedule' | 'listRuns'
>;

/** Each is looked at in each second. */
const MOST_SCHEDULES = 10_000;
/** As a job does, it has the server read and write files as its user. */
const ROLE = 'deploy';

/** Of the id of a run that somebody asks for; those of times follow from these. */
const ID_BYTES = 3;

export interface ScheduleOptions {
  readonly book: ScheduleBook;
  readonly scheduler: Scheduler;
  /** What the hour is asked of. */
  readonly clock: Clock;
  readonly catalog: Pick<Catalog, 'model'>;
  readonly artifacts: Pick<Artifacts, 'touch'>;
  readonly hasBatches: boolean;
  readonly hasPrograms: boolean;
}

export function createScheduleUseCases(options: ScheduleOptions): ScheduleUseCases {
  const { book, scheduler, catalog, artifacts, hasBatches, hasPrograms, clock } = options;

  function find(namespace: string, name: string): KnownSchedule {
    const found = book.get(scheduleKey(namespace, name));
    if (!found) throw new Fault('not_found', `there is no schedule ${namespace}/${name}`);
    return found;
  }

  /** What cannot be done is noticed now, not at three in the morning. */
  function checkTask(namespace: string, spec: ScheduleSpec): void {
    const { kind, model } = taskOf(spec);
    if (kind === 'batch' && !hasBatches) throw new Fault('not_implemented', NO_BATCHES);
    if (kind === 'program' && !hasPrograms) throw new Fault('not_implemented', NO_PROGRAMS);
    if (model === undefined || catalog.model(modelKey(namespace, model))) return;
    const expected = `a model of namespace ${namespace}`;
    const problem = { key: `spec.${kind}.model`, value: JSON.stringify(model), expected };
    throw new Fault('invalid', formatProblem(problem), { problems: [problem] });
  }

  async function put(actor: Actor, document: ScheduleInput, before?: KnownSchedule): Promise<void> {
    const { metadata, spec } = scheduleDocument.parse(document);
    const { name, namespace } = metadata;
    const key = scheduleKey(namespace, name);
    const now = clock.now();
    const value = before?.value;
    const isNew = !value || hasOtherTimes(value.document, document);
    const schedule = {
      document,
      createdAt: value?.createdAt ?? now,
      updatedAt: now,
      updatedBy: actor,
      after: isNew ? now : value.after,
      missed: value?.missed ?? 0,
    };
    const [type, did] = value ? ['ScheduleChanged', 'changed'] : ['ScheduleCreated', 'created'];
    const event = makeEvent(
      { namespace, name, spec },
      type,
      `${did} by ${actor.id}`,
      now,
      {},
      actor,
    );
    await book.commit({ key, schedule }, [event]);
    scheduler.changed(key);
  }

  return {
    async applySchedule(actor, input, ifMatch) {
      requireRole(actor, ROLE);
      const { metadata, spec } = parseDocument(scheduleDocument, input, 'schedule');
      const { namespace, name } = metadata;
      checkTask(namespace, spec);
      if (spec.program) await checkPushed(name, spec.program, artifacts);
      return await scheduler.alone(async () => {
        const before = book.get(scheduleKey(namespace, name));
        checkMatch(`schedule ${namespace}/${name}`, before?.version, ifMatch);
        if (!before && book.all().length >= MOST_SCHEDULES) {
          throw new Fault('conflict', `there are ${MOST_SCHEDULES} schedules, which is the limit`);
        }
        const isSame = before && isDeepStrictEqual(before.value.document, input);
        if (!isSame) await put(actor, input, before);
        const outcome = before ? (isSame ? 'unchanged' : 'changed') : 'created';
        return { ...scheduler.shown(find(namespace, name)), outcome };
      });
    },
    async getSchedule(actor, namespace, name): Promise<ScheduleShown> {
      requireRole(actor, 'read');
      return scheduler.shown(find(namespace, name));
    },
    async listSchedules(actor, namespace, page) {
      requireRole(actor, 'read');
      const found = pageOf(book.all(), ({ key }) => key, namespace, page);
      return found.map((schedule) => scheduler.shown(schedule));
    },
    async deleteSchedule(actor, namespace, name, ifMatch) {
      requireRole(actor, ROLE);
      await scheduler.alone(async () => {
        const schedule = find(namespace, name);
        checkMatch(`schedule ${namespace}/${name}`, schedule.version, ifMatch);
        const why = `deleted by ${actor.id}`;
        const event = makeEvent(schedule, 'ScheduleDeleted', why, clock.now(), {}, actor);
        await book.remove(schedule.key, [event]);
        scheduler.removed(schedule);
      });
    },
    async runSchedule(actor, namespace, name) {
      requireRole(actor, ROLE);
      return await scheduler.alone(async () => {
        const schedule = find(namespace, name);
        const id = `${name}-${randomBytes(ID_BYTES).toString('hex')}`;
        return await scheduler.runNow(schedule, id, actor);
      });
    },
    async listRuns(actor, namespace, name) {
      requireRole(actor, 'read');
      return book.runs(find(namespace, name).key).toReversed();
    },
  };
}
