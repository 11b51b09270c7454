import type { StartFailure } from '#domain/routing.ts';
import { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { ShadowOutcome } from '../metrics/shadow-counts.ts';
import { NEVER } from '../never.ts';
import { isElsewhere } from '../routes.ts';
import type { InstanceRoute } from '../upstream/instance-route.ts';
import type { Broken, Upstream, UpstreamEvents } from '../upstream/upstream.ts';
import { leavesBase, writeRequest } from '../upstream/write-request.ts';
import { Answer } from './answer.ts';
import type { Budget } from './copy.ts';
import type { Mirror } from './mirror.ts';

/** What a shadow's request needs of the data plane; the same as in `plane.ts`. */
export interface Surroundings {
  now(): number;
  startTrace(): string;
  onUnreachable(instance: InstanceRoute, reason: string): void;
  onReached(instance: InstanceRoute, failure: StartFailure): void;
  onSilent(instance: InstanceRoute, reason: string): void;
}

/** How it went. Times in ms, undefined where the shadow did not answer, or was not heard to the end. */
export interface Ended {
  readonly outcome: ShadowOutcome;
  readonly tookMs: number | undefined;
  /** The shadow has failed, or not; undefined: it was not asked. */
  readonly failed: boolean | undefined;
}

/** Tells the instance that nobody waits for the answer. */
const MARK = 'Rouse-Shadow: true\r\n';
const SILENT =
  'A copied request got no answer for as long as it may run (timeouts.run of the model).';

/**
 * The copy of a request, sent to the shadow, and what becomes of it. It takes a slot that is free and nobody waits for,
 * or none: it never waits.
 *
 * Invariants:
 *  1. `onOver` is told once; nothing is held after that.
 *  2. While `instance` is set the gate counts it in flight there.
 */
export class ShadowRequest implements UpstreamEvents {
  /** ms; for the whole answer. */
  deadline = NEVER;
  private readonly mirror: Mirror;
  private readonly around: Surroundings;
  private readonly onOver: (request: ShadowRequest, ended: Ended) => void;
  private readonly answer: Answer;
  private readonly head = new RequestHead();
  private upstream: Upstream | undefined;
  private instance: InstanceRoute | undefined;
  private startedAt = 0;

  constructor(
    mirror: Mirror,
    around: Surroundings,
    budget: Budget,
    onOver: (request: ShadowRequest, ended: Ended) => void,
  ) {
    this.mirror = mirror;
    this.around = around;
    this.answer = new Answer(budget);
    this.onOver = onOver;
  }

  start(): void {
    const { to, path } = this.mirror;
    const instance = to.gate.take();
    if (!instance) {
      this.end(to.gate.isWarm ? 'busy' : 'asleep');
      return;
    }
    this.instance = instance;
    this.startedAt = this.around.now();
    this.deadline = this.startedAt + to.routing.timeouts.run;
    if (leavesBase(instance.address, path)) {
      this.leave();
      this.end('failed');
    } else this.connect(instance.take(false));
  }

  private connect(upstream: Upstream): void {
    const { head, mirror } = this;
    head.read(mirror.text);
    head.cutAuthorization(mirror.cutsAuthorization);
    this.upstream = upstream;
    upstream.use(this, head.method, NEVER);
    if (upstream.connected) this.onConnected();
  }

  onConnected(): void {
    const { upstream, instance, head, mirror, around } = this;
    if (!upstream || !instance) return;
    const trace = head.traced ? '' : around.startTrace();
    const { bytes } = mirror.body;
    upstream.cork();
    writeRequest(upstream, instance.address, head, mirror, mirror.forwarded + trace + MARK);
    if (bytes.length > 0) upstream.writeBody(bytes, [0, bytes.length]);
    upstream.endBody('');
    upstream.uncork();
  }

  onHead(head: ResponseHead): void {
    const { instance } = this;
    this.answer.onHead(head);
    if (!instance) return;
    instance.silences = 0;
    const { startFailure } = this.mirror.to.routing;
    if (startFailure && isElsewhere(this.mirror.to)) this.around.onReached(instance, startFailure);
  }

  /** What cannot be compared is not waited for. */
  onData(buffer: Buffer, ranges: readonly number[]): void {
    this.answer.body.add(buffer, ranges);
    if (!this.answer.body.lack) return;
    this.abandon();
    this.conclude(undefined);
  }

  onEnd(): void {
    this.upstream?.release();
    this.leave();
    this.conclude(this.around.now() - this.startedAt);
  }

  onBroken(how: Broken, reason: string): void {
    if (how === 'unreached' && this.instance) this.around.onUnreachable(this.instance, reason);
    this.leave();
    this.end('failed', true);
  }

  sweep(now: number): void {
    if (now < this.deadline) return;
    const { instance, upstream } = this;
    if (instance && upstream?.isAnswering === false) this.around.onSilent(instance, SILENT);
    this.abandon();
    this.end('failed', true);
  }

  /** The data plane closes. */
  close(): void {
    this.abandon();
    this.end('failed');
  }

  private leave(): void {
    const { instance } = this;
    this.upstream = undefined;
    this.instance = undefined;
    instance?.gate.leave(instance);
  }

  private abandon(): void {
    const { instance, upstream } = this;
    this.upstream = undefined;
    this.instance = undefined;
    // The slot is free when the instance has let go of it.
    upstream?.abandon(() => instance?.gate.leave(instance), 0);
  }

  private conclude(tookMs: number | undefined): void {
    const { answer, mirror } = this;
    const outcome = answer.compare(mirror.answer, mirror.shadow);
    this.end(outcome, answer.status >= 500, tookMs);
  }

  private end(outcome: ShadowOutcome, failed?: boolean, tookMs?: number): void {
    this.deadline = NEVER;
    this.answer.body.drop();
    this.mirror.free();
    this.onOver(this, { outcome, tookMs, failed });
  }

  // Of no use here: the request is written at once, answers go nowhere, other protocols are not copied

  onInformational(): void {}
  onTunnelData(): void {}
  onTunnelEnd(): void {}
  onWritable(): void {}
  cork(): void {}
  uncork(): void {}
}
