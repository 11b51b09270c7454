import { GRANT, HOLD, NO_HOLD } from '#policies/admission.ts';
import type { ToRequest, ToStatus } from '../addressing.ts';
import { type Answer, makeRefusal } from './answers.ts';
import { probeCaller } from './caller-probe.ts';
import type { Downstream, DownstreamEvents } from './downstream.ts';
import { Forward, type ForwardEvents, type Granted } from './forward.ts';
import type { Refused } from '../gate/gate.ts';
import { HeldBody } from './held-body.ts';
import { HeldBytes, type HeldFor } from './held-bytes.ts';
import { Hold, type HoldEvents } from './hold.ts';
import { pieceOf } from '../http/pieces.ts';
import type { HeadEdits } from '../http/head-edits.ts';
import { Identity } from './identity.ts';
import { countRefusal } from '../metrics/metrics.ts';
import { RevisionMetrics } from '../metrics/revision-metrics.ts';
import { FAILED, OK, UNJUDGED, type Verdict, verdictOf } from '../metrics/verdict.ts';
import { NEVER } from '../never.ts';
import { type Plane, ROUTED_BODY_TIMEOUT_MS } from '../plane.ts';
import { makeRetryField, type Refusal, type TimeLimit } from '../refusal.ts';
import { BODY_STALLED } from '../http/refusals.ts';
import {
  BODY_TOO_LARGE_TO_ROUTE,
  makeBadField,
  makeGivenUp,
  makeHoldEnded,
  makeNobodyThere,
  makeNoGrpc,
  makeNoHold,
  makeNotAdmitted,
  makeOverShare,
  makeRunEnded,
  TOO_MANY_BODIES,
  TOO_MANY_HEADS,
} from './refusals.ts';
import { askAfter } from './ask-after.ts';
import { type LaterEvents, submitLater } from './submit.ts';
import { parseWishes, type Wishes } from './wishes.ts';
import { Router, type RouterEvents } from './router.ts';
import {
  isElsewhere,
  type ModelRoute,
  mustRefuse,
  type RevisionRoute,
  speaksGrpc,
} from '../routes.ts';
import type { Mirror } from '../shadow/mirror.ts';
import type { InstanceRoute } from '../upstream/instance-route.ts';
import { makeStatus } from '../status/status.ts';
import { findStatus, startStatus } from './status-answer.ts';
import { holdLimitOf, runLimitOf } from './time-limits.ts';
import { checkRequestId, holdOf } from './wait-fields.ts';
import { isForPerson, makeWaitingPage, PAGE_FIELDS } from './waiting-page.ts';
import { retryAfterOf, waitsOf } from '../status/waits.ts';
import type { Following } from '../status/watches.ts';

/**
 * Bytes of a head that are not counted: 20,000 of them are 80 MiB. By HTTP/2 a head of 64 KiB comes as a few bytes, when
 * its fields were sent before.
 */
const ORDINARY_HEAD = 4096;
/** A caller that closed its connection, in the metrics: the code that nginx made common. */
const CLIENT_CLOSED = 499;

/**
 * `ROUTING`: where it goes is being found; that may need its body. `HELD`: in a gate. `PROBING`: granted, and it
 * is looked whether the caller is still there. `WATCHING`: it follows a status, or control has it. `COLLECTING`: its
 * body is read, for control.
 */
const OVER = 0;
const PREPARED = 1;
const ROUTING = 2;
const HELD = 3;
const PROBING = 4;
const FORWARDED = 5;
const WATCHING = 6;
const COLLECTING = 7;

/** Said of an instance. */
const LEFT_UNANSWERED =
  'A request whose caller had left got no answer for as long as it may run (timeouts.run of the model).';

/**
 * One request's life on a connection: where it goes, who asks, the wait for a slot, the forwarding, the end. Used
 * again for the next.
 *
 * Invariant: while `instance` is set the gate counts this request in flight there; `end` gives the slot back once, or,
 * where the answer was not whole, has it given back when the instance has let go of the request.
 */
export class Exchange
  implements DownstreamEvents, RouterEvents, HoldEvents, ForwardEvents, Granted, HeldFor
{
  arrivedAt = 0;
  grantedAt = 0;
  cold = false;
  mirror: Mirror | undefined;
  private readonly downstream: Downstream;
  private readonly plane: Plane;
  private readonly identity: Identity;
  private readonly body: HeldBody;
  /** Made with the first head that is large. */
  private heldHead: HeldBytes | undefined;
  private readonly hold: Hold;
  private readonly forward: Forward;
  private readonly router: Router;
  private state = OVER;
  private route: RevisionRoute | undefined;
  private instance: InstanceRoute | undefined;
  /** The caller's own or the model's for the whole of a request, ms. */
  private deadlineAt = NEVER;
  private watch: Following | undefined;
  /** Whose answer its caller does not wait for. */
  private later: { readonly model: ModelRoute; readonly wishes: Wishes } | undefined;

  constructor(downstream: Downstream, plane: Plane) {
    this.downstream = downstream;
    this.plane = plane;
    this.identity = new Identity(downstream.caller);
    this.body = new HeldBody(plane, this);
    this.hold = new Hold(plane, this.identity, this.body, this);
    this.router = new Router(downstream, plane, this.body, this);
    this.forward = new Forward(downstream, plane, this.body, this);
  }

  get isTunnel(): boolean {
    return this.forward.isTunnel;
  }

  get callerId(): string {
    return this.downstream.caller.id;
  }

  get path(): string {
    return this.router.path;
  }

  get edits(): HeadEdits | undefined {
    return this.router.edits;
  }

  get setCookie(): string {
    return this.router.setCookie;
  }

  prepare(): void {
    this.state = PREPARED;
    this.body.clear();
    this.forward.prepare();
    this.route = undefined;
    this.arrivedAt = this.plane.now();
    this.cold = false;
    this.deadlineAt = NEVER;
  }

  begin(repeated: boolean): void {
    this.state = ROUTING;
    const refusal = this.keepHead(this.downstream.head.text.length);
    if (refusal) this.refuse(refusal);
    else this.router.begin(repeated);
  }

  /** A large head counts among what is held for as long as its request is there, which may be long. */
  private keepHead(bytes: number): Refusal | undefined {
    if (bytes <= ORDINARY_HEAD) return undefined;
    this.heldHead ??= new HeldBytes(this.plane, this);
    return this.heldHead.take(bytes) ? undefined : TOO_MANY_HEADS;
  }

  // Where it goes

  onLocalAnswer(answer: Answer, fields: string): void {
    this.finishLocally(answer, fields);
  }

  onStatusAsked(asked: ToStatus): void {
    const { downstream, plane } = this;
    const { head, caller } = downstream;
    const wrong = this.identity.read(head, caller, plane.callers);
    const shown = wrong ?? findStatus(asked, head, this.identity.caller.id, plane);
    if ('code' in shown) {
      this.refuse(shown);
      return;
    }
    this.watchUntilOver(() =>
      startStatus(shown, downstream, plane, {
        onAnswer: (answer) => this.finishLocally(answer, 'Cache-Control: no-store\r\n'),
        onEnd: () => this.finishWatch(),
      }),
    );
  }

  onRequestAsked(to: ToRequest): void {
    const { downstream, plane } = this;
    const { head, caller } = downstream;
    const wrong = this.identity.read(head, caller, plane.callers);
    if (wrong) {
      this.refuse(wrong);
      return;
    }
    const asked = { to, head, caller: this.identity.caller, client: downstream };
    this.watchUntilOver(() =>
      askAfter(asked, plane, { ...this.laterEvents(), onStreamed: () => this.finishWatch() }),
    );
  }

  // Later

  onLater(model: ModelRoute): void {
    const { head, caller } = this.downstream;
    const wishes = this.identity.read(head, caller, this.plane.callers) ?? parseWishes(head);
    if ('code' in wishes) {
      this.refuse(wishes);
      return;
    }
    this.state = COLLECTING;
    this.later = { model, wishes };
    if (this.router.readBody()) this.submit();
  }

  private submit(): void {
    const { later, plane, body } = this;
    if (!later) return;
    this.later = undefined;
    const { caller, priority } = this.identity;
    const request = { ...later, head: this.downstream.head, caller, priority, body: body.join() };
    // Its bytes count until control has them, which may be before it says so.
    body.drop();
    body.pin();
    this.heldHead?.pin();
    this.watchUntilOver(() => submitLater(request, plane, this.laterEvents()));
  }

  private laterEvents(): LaterEvents {
    return {
      onTold: ({ answer, fields }) => this.finishLocally(answer, fields),
      onRefusal: (refusal) => this.refuse(refusal),
    };
  }

  private watchUntilOver(begin: () => Following): void {
    this.state = WATCHING;
    this.watch = begin();
    // It may have ended at once.
    if (this.state !== WATCHING) this.watch = undefined;
  }

  private finishWatch(): void {
    this.end(true);
    this.downstream.finish();
  }

  // Whether it may, and the wait for a slot

  onRouted(route: RevisionRoute): void {
    const { namespace, name } = route.model.routing;
    this.route = route;
    route.metrics ??= new RevisionMetrics(namespace, name, route.routing.name);
    route.metrics.arrived();
    if (mustRefuse(route, this.arrivedAt)) {
      this.onRefused('failed');
      return;
    }
    const { head } = this.downstream;
    const wrong = this.check(route);
    const holdMs = holdOf(head, route);
    if (wrong) this.refuse(wrong);
    else if (holdMs < 0) this.refuse(makeBadField('Rouse-Hold', head.rouseHold));
    else this.askGate(route, holdMs);
  }

  private check(route: RevisionRoute): Refusal | undefined {
    const { isGrpc, head, caller } = this.downstream;
    if (isGrpc && !speaksGrpc(route)) return makeNoGrpc(route);
    return this.identity.read(head, caller, this.plane.callers) ?? checkRequestId(head);
  }

  private askGate(route: RevisionRoute, holdMs: number): void {
    const { head, givesUpAt } = this.downstream;
    const { total } = route.routing.timeouts;
    this.deadlineAt = Math.min(givesUpAt, this.arrivedAt + (total ?? NEVER));
    this.state = HELD;
    const decision = this.hold.enter(route, head, this.arrivedAt, holdMs);
    if (decision === HOLD) this.holdBody(route);
    else if (decision === NO_HOLD) this.onNotHeld(route);
    else if (decision !== GRANT) this.refuse(makeNotAdmitted(route, decision));
  }

  private onNotHeld(route: RevisionRoute): void {
    const refusal = makeNoHold(route, this.downstream.head);
    route.gate.poke();
    if (route.gate.isWarm) this.refuse(refusal);
    else this.giveUp(refusal);
  }

  /** What there is of the body waits, too. False: it is too much, and the request is refused. */
  private holdBody({ gate }: RevisionRoute): boolean {
    const fits = this.body.startCounting(gate);
    if (!fits) this.refuse(TOO_MANY_BODIES);
    // Whoever made room may have left a slot to it.
    else if (this.state === HELD) this.pauseOrReadOn();
    return fits;
  }

  /** No more of its body is read than has to be, unless there is room: then it is seen when its caller leaves. */
  private pauseOrReadOn(): void {
    const { body, downstream, route } = this;
    if (downstream.bodyDone) return;
    const hasEnough = body.isFull && !(body.mayReadOn && route?.gate.mayReadOn(this.hold));
    if (hasEnough) downstream.pause();
    else if (this.state === HELD) downstream.resume();
  }

  onRefused(reason: Refused): void {
    if (!this.route) return;
    if (reason === 'displaced') this.refuse(makeOverShare(this.route));
    else if (reason === 'crowded') this.onCrowded();
    else this.giveUp(makeGivenUp(this.route, reason, this.plane.now()));
  }

  onCrowded(): void {
    this.fail(TOO_MANY_BODIES);
  }

  private giveUp(refusal: Refusal): void {
    const { route } = this;
    const isForPage = refusal.status === 503 && isForPerson(this.downstream.head, this.plane);
    if (isForPage && route) this.showPage(route, refusal);
    else this.refuse(refusal);
  }

  onGranted(instance: InstanceRoute): void {
    this.instance = instance;
    this.body.stopCounting();
    if (this.downstream.isPaused) this.probe(instance);
    else this.forwardTo(instance);
  }

  private probe(instance: InstanceRoute): void {
    this.state = PROBING;
    probeCaller(
      this.downstream,
      this.body,
      () => this.state === PROBING && this.instance === instance,
      () => this.forwardTo(instance),
    );
  }

  // Forwarded, and what became of it

  private forwardTo(instance: InstanceRoute): void {
    const { route } = this;
    if (!route) return;
    this.state = FORWARDED;
    this.heldHead?.pin();
    const { hasWaited } = this.hold;
    this.cold = instance.isRoused || (hasWaited && instance.readyAt > this.arrivedAt);
    this.grantedAt = hasWaited || this.cold ? this.plane.now() : this.arrivedAt;
    if (route.model.shadow && !this.mirror) this.copy(route);
    this.forward.start(this, route, instance);
  }

  /** For the model's shadow, if it is to get this one. */
  private copy(route: RevisionRoute): void {
    const { downstream, router, body, grantedAt } = this;
    if (downstream.isGrpc || router.isNamed) return;
    const { head, forwarded } = downstream;
    const request = { head, forwarded, path: this.path, edits: this.edits, grantedAt };
    this.mirror = this.plane.shadows.begin(route, request);
    if (this.mirror) body.writeTo(this.mirror);
  }

  onUnreached(reason: string): void {
    const { instance, route } = this;
    if (!instance || !route) return;
    this.forward.release();
    this.instance = undefined;
    this.state = HELD;
    this.plane.onUnreachable(instance, reason);
    instance.gate.leave(instance);
    if (this.holdBody(route)) this.hold.rejoin(route);
  }

  onRefusal(refusal: Refusal): void {
    this.refuse(refusal);
  }

  onCut(): void {
    this.cut(FAILED);
  }

  private cut(verdict: Verdict): void {
    this.abandon(verdict);
    this.downstream.cut();
  }

  onForwarded(clean: boolean, failed: boolean): void {
    const { mirror } = this;
    // An answer that came before the whole request: what was copied is not all of it.
    if (clean) this.mirror = undefined;
    this.end(clean, failed ? FAILED : OK);
    this.downstream.finish();
    if (clean) mirror?.send();
  }

  onTunnelClosed(): void {
    this.end(false);
    this.downstream.endTunnel();
  }

  // From the caller

  onBody(buffer: Buffer, ranges: readonly number[]): void {
    if (this.state === OVER) return;
    this.mirror?.writeBody(buffer, ranges);
    if (this.forward.takesBody) {
      this.forward.writeBody(buffer, ranges);
      return;
    }
    if (this.state !== PREPARED) this.holdPiece(pieceOf(buffer, ranges));
    else if (this.body.bytes === 0 && ranges.length === 2) {
      this.body.borrow(buffer, ranges[0]!, ranges[1]!);
    } else this.body.add(pieceOf(buffer, ranges));
  }

  /** The buffer of the last `onBody` is about to be read into again. */
  keepBorrowed(): void {
    this.body.keepBorrowed();
  }

  private holdPiece(piece: Buffer): void {
    if (!this.body.add(piece)) {
      this.refuse(TOO_MANY_BODIES);
      return;
    }
    const decision = this.hold.grow(piece.length);
    if (this.route && decision !== HOLD) this.refuse(makeNotAdmitted(this.route, decision));
    else if (this.body.isTooLargeToRoute) this.refuse(BODY_TOO_LARGE_TO_ROUTE);
    else if (this.state !== PROBING) this.pauseOrReadOn();
  }

  onBodyEnd(trailers: string): void {
    if (this.state === OVER) return;
    this.body.trailers = trailers;
    // With nothing more to come it can be heard whether the caller leaves.
    if (this.state === HELD) this.downstream.resume();
    if (this.state === ROUTING) this.router.onBodyEnd();
    else if (this.state === COLLECTING) this.submit();
    else this.forward.endBody();
  }

  onBadBody(refusal: Refusal): void {
    if (this.downstream.isAnswering) {
      this.cut(UNJUDGED);
      return;
    }
    this.abandon();
    this.downstream.refuse(refusal);
  }

  onBodyStalled(): void {
    if (this.state === HELD) return;
    this.fail(BODY_STALLED);
  }

  onCallerWritable(): void {
    this.forward.onCallerWritable();
    this.watch?.onWritable();
  }

  onCallerTunnelData(buffer: Buffer, length: number): void {
    this.forward.writeTunnel(buffer, length);
  }

  onCallerGone(): void {
    if (this.state === OVER) return;
    if (!this.downstream.isAnswering) this.countCode(CLIENT_CLOSED);
    this.abandon();
  }

  // Time

  /** Time passes: the nearest of hold, run, idle and total. */
  sweep(now: number): void {
    const { route } = this;
    const isTooSlow = now >= this.arrivedAt + ROUTED_BODY_TIMEOUT_MS;
    const isRead = this.state === ROUTING || this.state === COLLECTING;
    if (isRead && isTooSlow) this.refuse(BODY_STALLED);
    if (this.state === OVER || !route) return;
    if (this.state === HELD) this.sweepHeld(route, now);
    else if (now >= Math.min(this.forward.deadline, this.deadlineAt)) {
      const { instance } = this;
      const refusal = makeRunEnded(runLimitOf(route, this.downstream.givesUpAt - this.arrivedAt));
      if (instance && this.isIgnored(now)) this.plane.onSilent(instance, refusal.detail);
      this.fail(refusal);
    }
  }

  private sweepHeld(route: RevisionRoute, now: number): void {
    const isOver = this.hold.isOver(now) || now >= this.deadlineAt;
    if (this.hold.takePage(route, now, isOver)) {
      this.showPage(route, { retryAfter: retryAfterOf(route) });
      route.gate.poke();
    } else if (isOver) {
      this.refuse(this.makeEnded(route, now));
    } else this.pauseOrReadOn();
  }

  private makeEnded(route: RevisionRoute, now: number): Refusal {
    const waitedMs = now - this.arrivedAt;
    if (this.plane.isTransparent) return makeNobodyThere(route, waitedMs);
    return makeHoldEnded(route, waitedMs, this.holdLimit(route));
  }

  private holdLimit(route: RevisionRoute): TimeLimit {
    const { head, givesUpAt } = this.downstream;
    return holdLimitOf(head, route, givesUpAt - this.arrivedAt);
  }

  /** What a person sees in place of the answer, which is not there yet or, with a refusal, does not come. */
  private showPage(route: RevisionRoute, refusal: Partial<Refusal>): void {
    const { code, retryAfter } = refusal;
    if (code) countRefusal(this.plane.metrics, code);
    this.countCode(503);
    const waits = waitsOf(route);
    const others = waits.waiting - (this.hold.waitsIn ? 1 : 0);
    const status = makeStatus(route, this.plane.now(), [{ ...waits, waiting: others }]);
    this.finishLocally(
      makeWaitingPage(status, { retryAfter, elsewhere: isElsewhere(route) }),
      makeRetryField(retryAfter) + PAGE_FIELDS,
    );
  }

  /** The instance has the whole request for as long as it may run, and has said nothing. */
  private isIgnored(now: number): boolean {
    return now >= this.forward.deadline && this.downstream.bodyDone && this.forward.isUnanswered;
  }

  // Ends

  private fail(refusal: Refusal): void {
    if (this.downstream.isAnswering) this.cut(verdictOf(refusal.code));
    else this.refuse(refusal);
  }

  private refuse(refusal: Refusal): void {
    const { status, code, detail, retryAfter } = refusal;
    countRefusal(this.plane.metrics, code);
    this.countCode(status);
    this.finishLocally(
      makeRefusal(this.router.dialect, status, code, detail),
      makeRetryField(retryAfter) + this.revisionField(),
      verdictOf(code),
    );
  }

  private revisionField(): string {
    if (!this.route || this.plane.isTransparent) return '';
    return `Rouse-Revision: ${this.route.routing.name}\r\n`;
  }

  private finishLocally(answer: Answer, extra = '', verdict: Verdict = UNJUDGED): void {
    this.abandon(verdict);
    this.downstream.answer(answer, extra);
  }

  /** Ends without a whole response: the wait is cancelled or the upstream connection is dropped. */
  private abandon(verdict: Verdict = UNJUDGED): void {
    this.hold.cancel();
    this.end(false, verdict);
  }

  private end(clean: boolean, verdict: Verdict = UNJUDGED): void {
    if (this.state === OVER) return;
    this.state = OVER;
    this.hold.end('refused');
    this.watch?.stop();
    this.watch = undefined;
    this.later = undefined;
    this.mirror?.drop();
    this.mirror = undefined;
    this.body.clear();
    this.heldHead?.letGo();
    const { instance } = this;
    this.instance = undefined;
    const now = this.plane.now();
    this.route?.metrics?.ended(verdict, this.cold, now - this.arrivedAt);
    if (clean) {
      this.forward.release();
      instance?.gate.leave(instance, now);
    } else this.forward.abandon((isSilent) => this.onLetGo(instance, isSilent));
  }

  /** The next request may be under way by then. */
  private onLetGo(instance: InstanceRoute | undefined, isSilent: boolean): void {
    if (!instance) return;
    instance.gate.leave(instance);
    if (isSilent) this.plane.onSilent(instance, LEFT_UNANSWERED);
  }

  private countCode(status: number): void {
    this.route?.metrics?.countStatus(status);
  }
}
