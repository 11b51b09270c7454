import type { RequestOptions } from 'node:http';
import { hostOf } from '#domain/address.ts';
import { makeMeasureRecord } from '#domain/measures.ts';
import type { ScheduleRun } from '#domain/schedule-run.ts';
import type { ProbeSpec } from '#domain/schedule.ts';
import { formatDuration } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import { codeOf, Fault, messageOf } from '#lib/fault.ts';
import { createOwnDataPlane } from '#lib/own-data-plane.ts';
import { pause } from '#lib/pause.ts';
import { decideVerdict } from '#policies/schedules/verdict.ts';
import type { Store } from '#store/store.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { requireModel } from '../records/checks.ts';
import { readResponse } from '../requests/http.ts';
import { createTimeLimit } from '../wait.ts';
import type { Begun, Task } from './task.ts';

/** Where the data plane is, as a caller of this machine writes it, and whether connections begin with a PROXY header. */
interface DataPlane {
  readonly dataPlane: string;
  readonly proxyProtocol: boolean;
}

type Caller = ReturnType<typeof createCaller>;

/** Asks models what the answer is known to, and measures whether they gave it. */
export interface Probes {
  readonly task: Task;
  /** What is under way is no verdict any more. */
  close(): void;
}

interface Verdict {
  readonly revision: string;
  readonly isHealthy: boolean;
  readonly why: string;
}

/** What is compared is written by hand. */
const MOST_ANSWER = 2 ** 20;
/** How long nobody tries to reach a data plane that is not there. */
const AWAY_MS = 500;

export function createProbes(options: {
  catalog: Catalog;
  store: Pick<Store, 'addMeasures'>;
  clock: Clock;
  /** Undefined: there is none that can be asked from here. */
  dataPlane: DataPlane | undefined;
}): Probes {
  const { catalog, store, clock, dataPlane } = options;
  const caller = dataPlane && createCaller(dataPlane);
  const ending = new AbortController();
  let closed = false;

  /** Throws where it was not the model that did not answer: that says nothing of it. */
  async function ask(entry: ModelEntry, revision: string, spec: ProbeSpec): Promise<Verdict> {
    if (!caller) throw new Fault('not_implemented', 'probes need a data plane that can be asked');
    const startedAt = clock.now();
    try {
      const answer = await sendWhenThere(caller, { entry, revision, spec });
      const { decision, why } = decideVerdict(spec.expect, answer);
      const took = formatDuration(clock.now() - startedAt);
      return { revision, isHealthy: decision === 'healthy', why: `${why}, after ${took}` };
    } catch (error) {
      if (closed || !(error instanceof Fault)) throw error;
      return { revision, isHealthy: false, why: error.message };
    }
  }

  /** A data plane that starts with Rouse may take its first connection after schedules have begun. */
  async function sendWhenThere(to: Caller, what: Asked): Promise<Answer> {
    const until = clock.now() + what.spec.timeout;
    for (;;) {
      try {
        return await send(to, clock, what);
      } catch (error) {
        if (!isAway(error) || closed || clock.now() >= until) throw error;
        await pause(clock, AWAY_MS, ending.signal);
      }
    }
  }

  /** Once, however often the run is begun: its id is that of the measures. */
  async function measure(
    entry: ModelEntry,
    run: ScheduleRun,
    name: string,
    verdicts: readonly Verdict[],
  ) {
    const { namespace, name: model } = entry;
    const rows = verdicts.map(({ revision, isHealthy }) => ({
      ...makeMeasureRecord(
        { namespace, model },
        { revision, name, value: isHealthy ? 1 : 0 },
        clock.now(),
      ),
      id: run.id,
    }));
    await store.addMeasures(rows);
  }

  async function start(run: ScheduleRun, spec: ProbeSpec): Promise<Begun> {
    const entry = requireModel(catalog, run.namespace, spec.model);
    const revisions = revisionsOf(entry, spec);
    if (revisions.length === 0) throw new Fault('conflict', `model ${spec.model} has none to ask`);
    const verdicts: Verdict[] = [];
    // One after the other: together they would need the memory of all at once.
    for (const revision of revisions) verdicts.push(await ask(entry, revision, spec));
    await measure(entry, run, spec.measure, verdicts);
    const isHealthy = verdicts.every((one) => one.isHealthy);
    const told = isHealthy ? verdicts : verdicts.filter((one) => !one.isHealthy);
    const reason = told.map(({ revision, why }) => `${revision}: ${why}`).join('; ');
    return {
      outcome: { state: isHealthy ? 'Succeeded' : 'Failed', reason: reason.slice(0, MOST_REASON) },
    };
  }

  return {
    task: {
      async start(run, { spec }) {
        if (!spec.probe) throw new Fault('conflict', 'the schedule does something else now');
        return await start(run, spec.probe);
      },
      // It is over when it has been begun.
      look: () => ({ state: 'Failed', reason: 'it was not begun' }),
      stop: async () => undefined,
    },
    close() {
      closed = true;
      ending.abort();
      caller?.close();
    },
  };
}

const MOST_REASON = 4000;

function createCaller({ dataPlane, proxyProtocol }: DataPlane) {
  const url = new URL(dataPlane);
  const { port } = url;
  const host = hostOf(url);
  const { request, agent } = createOwnDataPlane(dataPlane, proxyProtocol);
  return {
    request: (options: Pick<RequestOptions, 'method' | 'path' | 'headers' | 'signal'>) =>
      request({ host, port, agent, ...options }),
    close: () => agent.destroy(),
  };
}

function revisionsOf(entry: ModelEntry, spec: ProbeSpec): string[] {
  if (spec.revisions === 'routed') {
    return [...new Set(entry.resolved.targets.map(({ revision }) => revision))];
  }
  const all = [...entry.revisions.values()].map(({ value }) => value);
  return all.filter(({ state }) => state === 'Ready').map(({ name }) => name);
}

interface Asked {
  readonly entry: ModelEntry;
  readonly revision: string;
  readonly spec: ProbeSpec;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Nothing was sent. */
function isAway(error: unknown): boolean {
  return error instanceof Error && codeOf(error.cause) === 'ECONNREFUSED';
}

/**
 * Throws the Fault that says what is wrong with the model; another error where the data plane, which answers for a model
 * that does not, has not said anything.
 */
async function send(
  caller: Caller,
  clock: Clock,
  { entry, revision, spec }: Asked,
): Promise<Answer> {
  const { method, path, headers, body } = spec.request;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const time = createTimeLimit(clock, spec.timeout);
  const sent = caller.request({
    method,
    path: `/models/${entry.namespace}/${entry.name}${path}`,
    headers: {
      ...(text !== undefined && { 'content-type': 'application/json' }),
      ...headers,
      'rouse-revision': revision,
    },
    signal: time.signal,
  });
  let hasBegun = false;
  sent.once('response', () => void (hasBegun = true));
  try {
    const response = readResponse(sent, MOST_ANSWER);
    sent.end(text);
    const { status, body: answer } = await response;
    return { status, body: answer.toString() };
  } catch (error) {
    if (time.isOver) {
      throw new Fault('unavailable', `no answer within ${formatDuration(spec.timeout)}`);
    }
    if (hasBegun) throw new Fault('bad_upstream', messageOf(error), { cause: error });
    throw new Error(`the data plane did not answer: ${messageOf(error)}`, { cause: error });
  } finally {
    time.close();
  }
}
