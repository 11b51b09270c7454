import { RevisionMetrics } from '../metrics/revision-metrics.ts';
import type { ShadowOutcome } from '../metrics/shadow-counts.ts';
import { mustRefuse, type RevisionRoute } from '../routes.ts';
import { Budget } from './copy.ts';
import { Mirror, type Original } from './mirror.ts';
import { type Ended, ShadowRequest, type Surroundings } from './shadow-request.ts';

/** Of all that is copied now: requests, their answers, and those of shadows. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Asked at once. A shadow that takes ever longer has no more of the data plane than this. */
const MAX_RUNNING = 256;

/**
 * All shadows of a data plane. A request is copied while it is answered; when its caller has the answer, the copy goes to
 * the shadow, if that has a free slot and nobody waits for it. Whatever becomes of it is counted, and seen by nobody else.
 */
export class Shadows {
  private readonly around: Surroundings;
  private readonly budget = new Budget(MAX_BYTES);
  private readonly running = new Set<ShadowRequest>();
  private closed = false;

  constructor(around: Surroundings) {
    this.around = around;
  }

  /** `from`: who answers the caller. Undefined: this one is not copied. */
  begin(from: RevisionRoute, original: Original): Mirror | undefined {
    const { shadow, revisions } = from.model;
    const to = shadow && revisions.get(shadow.revision);
    if (!shadow || !to || to === from || original.head.upgrade !== '') return undefined;
    shadow.credit += shadow.percent;
    if (shadow.credit < 100) return undefined;
    shadow.credit -= 100;
    const lack = this.lackOf(to, shadow.wake);
    if (!lack) return new Mirror(original, to, shadow, this.budget, this);
    count(to, lack);
    return undefined;
  }

  /** Why it cannot be asked now. It is not waited for; `wakes`: a later one may find it awake. */
  private lackOf(to: RevisionRoute, wakes: boolean): ShadowOutcome | undefined {
    if (mustRefuse(to, this.around.now())) return 'asleep';
    if (to.gate.isWarm) return this.running.size < MAX_RUNNING ? undefined : 'busy';
    if (wakes) to.gate.poke();
    return 'asleep';
  }

  onAnswered(mirror: Mirror): void {
    const { lack } = mirror.body;
    if (lack) {
      mirror.free();
      count(mirror.to, lack === 'too_large' ? lack : 'busy');
      return;
    }
    const tookMs = mirror.tookMs(this.around.now());
    // The answer is on its way to the caller before anything is done for the shadow.
    setImmediate(() => this.ask(mirror, tookMs));
  }

  onDropped({ to }: Mirror): void {
    count(to, 'unanswered');
  }

  private ask(mirror: Mirror, callerMs: number): void {
    if (this.closed || this.running.size >= MAX_RUNNING) {
      mirror.free();
      count(mirror.to, 'busy');
      return;
    }
    const request = new ShadowRequest(mirror, this.around, this.budget, (over, ended) => {
      this.running.delete(over);
      note(mirror.to, ended, callerMs);
    });
    this.running.add(request);
    // With it its load is told, so that it gets the instances that copies need.
    metricsOf(mirror.to);
    request.start();
  }

  sweep(now: number): void {
    for (const request of this.running) request.sweep(now);
  }

  close(): void {
    this.closed = true;
    for (const request of this.running) request.close();
  }
}

function metricsOf(to: RevisionRoute): RevisionMetrics {
  const { namespace, name } = to.model.routing;
  return (to.metrics ??= new RevisionMetrics(namespace, name, to.routing.name));
}

function count(to: RevisionRoute, outcome: ShadowOutcome): void {
  metricsOf(to).copied(outcome);
}

function note(to: RevisionRoute, { outcome, tookMs, failed }: Ended, callerMs: number): void {
  const metrics = metricsOf(to);
  const counts = metrics.copied(outcome);
  if (tookMs !== undefined) counts.took(tookMs, callerMs);
  if (failed !== undefined) metrics.copyEnded(failed, tookMs ?? 0);
}
