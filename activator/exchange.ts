import type { Caller } from '#domain/records.ts';
import { decidePriority, NORMAL } from '#policies/priority.ts';
import {
  type Destination,
  type Dialect,
  findDestination,
  findNamed,
  type ToModel,
} from './address.ts';
import { type Answer, makeLocalAnswer, makeRefusal } from './answers.ts';
import { NO_KEY } from './callers.ts';
import type { Connection } from './connection.ts';
import {
  FULL_BYTES,
  FULL_COUNT,
  type Gate,
  HOLD,
  NO_HOLD,
  OVER_SHARE,
  type Refused,
  type Waiter,
} from './gate.ts';
import { HeldBody } from './held-body.ts';
import { Forward, type ForwardOwner, type Granted } from './forward.ts';
import { pieceOf } from './http/pieces.ts';
import { countRefusal, createRevisionMetrics } from './metrics.ts';
import type { Plane } from './plane.ts';
import {
  BODY_STALLED,
  makeBadHeader,
  BODY_TOO_LARGE_TO_ROUTE,
  makeFull,
  makeGivenUp,
  makeHoldEnded,
  makeNoGrpc,
  makeNoHold,
  makeOverShare,
  makeRunEnded,
  MISPLACED_KEY,
  NOT_JSON,
  retryAfterOf,
  STARTING,
  type Refusal,
  TOO_MANY_BODIES,
  TOO_MANY_WATCHES,
  UNKNOWN_KEY,
} from './refusals.ts';
import type { Line } from './shares.ts';
import { type ModelRoute, mustRefuse, type RevisionRoute, speaksGrpc } from './routes.ts';
import type { Slot } from './slot.ts';
import { chooseRevision, noRevision } from './split.ts';
import { findRevision, makeStatus } from './status.ts';
import { expectedByEnvoy, holdOf, isRequestId, parseStatusQuestion } from './wait-fields.ts';
import { isNavigation, makeWaitingPage, PAGE_AFTER_MS, PAGE_FIELDS } from './waiting-page.ts';
import { nameOf, type Watches } from './watches.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** Turns of the loop without data after which all that had arrived has been read. */
const QUIET_TURNS = 3;
/** A caller that still sends is still there: so much is read to find out, at most. */
const MAX_PROBED = 4 * 1024 * 1024;
/** A caller that closed its connection, in the metrics: the code that nginx made common. */
const CLIENT_CLOSED = 499;

/**
 * `ROUTING`: the body is read in order to find the model. `HELD`: in a gate. `PROBING`: granted, and it is
 * looked whether the caller is still there. `WATCHING`: it follows a status.
 */
const OVER = 0;
const PREPARED = 1;
const ROUTING = 2;
const HELD = 3;
const PROBING = 4;
const FORWARDED = 5;
const WATCHING = 6;

/**
 * One request's life on a connection: routed, held, granted, forwarded, answered. Used again for the next.
 *
 * Invariant: `slot` is set exactly while the gate counts this request in flight; `end` gives it back once.
 */
export class Exchange implements Waiter<Slot>, ForwardOwner, Granted {
  previous: Waiter<Slot> | undefined;
  next: Waiter<Slot> | undefined;
  waitsIn: Gate<Slot> | undefined;
  line: Line<Waiter<Slot>> | undefined;
  order = 0;
  turn = 0;
  priority = NORMAL;
  /** Who asks: the holder of a key, or who is at the address. */
  private caller: Caller;
  private shown = NO_KEY;
  private readonly client: Connection;
  private readonly plane: Plane;
  private state = OVER;
  private dialect: Dialect = 'problem';
  path = '';
  route: RevisionRoute | undefined;
  setCookie = '';
  slot: Slot | undefined;
  arrivedAt = 0;
  grantedAt = 0;
  cold = false;
  /** Where the last head led, as long as the routing state is that of `knownVersion`. */
  private known: ToModel | undefined;
  private knownVersion = 0;
  private readonly body: HeldBody;
  private readonly forward: Forward;
  private waited = false;
  private quietTurns = 0;
  private holdUntil = NEVER;
  /** The caller's own or the model's for the whole of a request, ms. */
  private deadlineAt = NEVER;
  /** A browser gets the waiting page instead of being held on. */
  private wantsPage = false;
  /** Under which others may ask for this request while it is held. */
  private name = '';
  private watch: ReturnType<Watches['add']> | undefined;

  constructor(client: Connection, plane: Plane) {
    this.client = client;
    this.caller = client.caller;
    this.plane = plane;
    this.body = new HeldBody(plane);
    this.forward = new Forward(client, plane, this.body, this);
  }

  get callerId(): string {
    return this.caller.id;
  }

  get heldBytes(): number {
    return this.body.bytes;
  }

  get isTunnel(): boolean {
    return this.forward.isTunnel;
  }

  /** A new request: its head has been read, its body may follow before `begin`. */
  prepare(): void {
    this.state = PREPARED;
    this.body.clear();
    this.route = undefined;
    this.setCookie = '';
    this.arrivedAt = this.plane.now();
    this.waited = false;
    this.holdUntil = NEVER;
    this.deadlineAt = NEVER;
    this.wantsPage = false;
    this.name = '';
  }

  /** `repeated`: the head is the one before, so that it leads to the same place. */
  begin(repeated: boolean): void {
    const { plane, client, known } = this;
    if (repeated && known && this.knownVersion === plane.routes.version) {
      this.toModel(known.model, known.revision, known.tag);
      return;
    }
    this.known = undefined;
    if (plane.ready) this.follow(findDestination(client.head, plane.routes));
    else this.refuse(STARTING);
  }

  /** Nothing is left of the last request. */
  forget(): void {
    this.known = undefined;
    this.shown = NO_KEY;
    this.path = '';
  }

  // The request's body

  onBody(buffer: Buffer, ranges: readonly number[]): void {
    if (this.state === OVER) return;
    if (this.forward.takesBody) {
      this.forward.writeBody(buffer, ranges);
      return;
    }
    if (this.state !== PREPARED) this.hold(pieceOf(buffer, ranges));
    else if (this.body.bytes === 0 && ranges.length === 2) {
      this.body.borrow(buffer, ranges[0]!, ranges[1]!);
    } else this.body.add(pieceOf(buffer, ranges));
  }

  /** The buffer of the last `onBody` is about to be read into again. */
  settle(): void {
    this.body.settle();
  }

  /** `trailers`: field lines that ended a chunked body, or ''. */
  onBodyEnd(trailers: string): void {
    if (this.state === OVER) return;
    this.body.trailers = trailers;
    if (this.state === ROUTING) this.routeByBody();
    else this.forward.endBody();
  }

  /** What came is no body, or too much of one: whatever follows on the connection is not understood. */
  onBadBody(refusal: Refusal): void {
    if (this.client.isAnswering) {
      this.onCut();
      return;
    }
    this.abandon();
    this.client.refuse(refusal);
  }

  /** No byte of the body for too long. */
  onBodyStalled(): void {
    if (this.state === HELD) return;
    this.fail(BODY_STALLED);
  }

  private hold(piece: Buffer): void {
    if (!this.body.hasRoomFor(piece.length)) {
      this.refuse(TOO_MANY_BODIES);
      return;
    }
    if (this.route && this.waitsIn && !this.waitsIn.hold(piece.length)) {
      this.refuse(makeFull(this.route, 'bytes'));
      return;
    }
    this.body.add(piece);
    this.quietTurns = 0;
    if (this.body.isTooLargeToRoute) this.refuse(BODY_TOO_LARGE_TO_ROUTE);
    else if (this.body.isFull && this.state !== PROBING) this.client.pause();
  }

  // Where it goes

  private follow(destination: Destination): void {
    switch (destination.kind) {
      case 'unknown':
        this.dialect = destination.dialect;
        this.refuse({ status: 404, code: 'not_found', detail: destination.detail });
        break;
      case 'local':
        this.finishLocally(makeLocalAnswer(destination, this.plane.routes, this.plane.version));
        break;
      case 'status':
        this.showStatus(destination);
        break;
      case 'body':
        this.dialect = 'openai';
        this.readToRoute();
        break;
      case 'model':
        this.dialect = destination.dialect;
        this.path = destination.path;
        if (this.state === PREPARED) this.remember(destination);
        this.toModel(destination.model, destination.revision, destination.tag);
    }
  }

  private remember(destination: ToModel): void {
    this.known = destination;
    this.knownVersion = this.plane.routes.version;
  }

  private showStatus({ model, revision, tag }: Extract<Destination, { kind: 'status' }>): void {
    const { client, plane } = this;
    const question = parseStatusQuestion(client.head);
    const route = findRevision(model, revision, tag);
    if ('detail' in question) this.refuse(question);
    else if (!route) this.refuse(noRevision(model, revision));
    else if (!question.asEvents) {
      const status = plane.watches.status(route, question.requestId, plane.now());
      const answer = { status: 200, type: 'application/json', body: JSON.stringify(status) };
      this.finishLocally(answer, 'Cache-Control: no-store\r\n');
    } else if (plane.watches.isFull) this.refuse(TOO_MANY_WATCHES);
    else this.startWatch(route, question);
  }

  private startWatch(route: RevisionRoute, what: Parameters<Watches['add']>[2]): void {
    const { client, plane } = this;
    this.state = WATCHING;
    this.watch = plane.watches.add(client, route, what, plane.now(), () => {
      this.end(true);
      client.finish();
    });
    if (this.state !== WATCHING) this.watch = undefined;
  }

  private readToRoute(): void {
    const { body, client } = this;
    this.state = ROUTING;
    if (!body.startCounting(true)) this.refuse(TOO_MANY_BODIES);
    else if (body.isTooLargeToRoute) this.refuse(BODY_TOO_LARGE_TO_ROUTE);
    else if (client.bodyDone) this.routeByBody();
    else {
      client.resume();
      client.sendContinue();
    }
  }

  private routeByBody(): void {
    let name: unknown;
    try {
      name = this.body.findModel();
    } catch {
      this.refuse(NOT_JSON);
      return;
    }
    this.follow(findNamed(name, this.client.head.target, this.plane.routes));
  }

  private toModel(model: ModelRoute, revision: string, tag: string | undefined): void {
    this.body.stopCounting();
    const picked = revision === '' && tag === undefined && this.plane.routes.pickPlain(model);
    if (picked) {
      this.enter(picked);
      return;
    }
    const choice = chooseRevision(this.plane, model, revision, tag, this.client.head.fields);
    if ('detail' in choice) {
      this.refuse(choice);
      return;
    }
    this.setCookie = choice.setCookie;
    this.enter(choice.route);
  }

  private enter(route: RevisionRoute): void {
    this.route = route;
    const { namespace, name } = route.model.routing;
    route.metrics ??= createRevisionMetrics(namespace, name, route.routing.name);
    route.metrics.arrivals += 1;
    if (mustRefuse(route.routing, this.arrivedAt)) {
      this.onRefused('failed');
      return;
    }
    const wrong = this.client.isGrpc && !speaksGrpc(route) ? makeNoGrpc(route) : this.identify();
    if (wrong) {
      this.refuse(wrong);
      return;
    }
    const holdMs = holdOf(this.client.head, route);
    if (holdMs < 0) {
      this.refuse(makeBadHeader('Rouse-Hold', this.client.head.rouseHold));
      return;
    }
    const { total } = route.routing.timeouts;
    this.deadlineAt = Math.min(this.client.givesUpAt, this.arrivedAt + (total ?? NEVER));
    this.state = HELD;
    this.holdUntil = this.arrivedAt + holdMs;
    const decision = route.gate.enter(this, holdMs);
    if (decision === HOLD) this.onHeld();
    else if (decision === FULL_COUNT) this.refuse(makeFull(route, 'count'));
    else if (decision === FULL_BYTES) this.refuse(makeFull(route, 'bytes'));
    else if (decision === OVER_SHARE) this.refuse(makeOverShare(route));
    else if (decision === NO_HOLD) {
      route.gate.knock();
      this.refuse(makeNoHold(route));
    }
  }

  /** Finds who asks, and how urgent that may be. A connection that shows the same key again is known. */
  private identify(): Refusal | undefined {
    const { head, caller } = this.client;
    if (head.authorization !== '') {
      this.shown = this.plane.callers.findAgain(this.shown, head.authorization);
    }
    const holder = head.authorization === '' ? 'foreign' : this.shown.holder;
    if (holder === 'unknown') return UNKNOWN_KEY;
    if (this.plane.callers.isMisplaced(head)) return MISPLACED_KEY;
    head.cutAuthorization(holder !== 'foreign');
    this.caller = holder === 'foreign' ? caller : holder.caller;
    const highest = holder === 'foreign' ? 'normal' : holder.priority;
    this.priority = decidePriority(head.rousePriority, highest);
    if (this.priority < 0) return makeBadHeader('Rouse-Priority', head.rousePriority);
    return head.rouseRequestId === '' || isRequestId(head.rouseRequestId)
      ? undefined
      : makeBadHeader('Rouse-Request-Id', head.rouseRequestId);
  }

  // Waiting

  private onHeld(): void {
    const { client, plane, route } = this;
    const { head } = client;
    this.waited = true;
    this.deadlineAt = Math.min(this.deadlineAt, this.arrivedAt + expectedByEnvoy(head));
    this.wantsPage = head.rouseHold === '' && isNavigation(head.method, head.fields.find('accept'));
    if (head.rouseRequestId !== '' && route) {
      this.name = nameOf(route, head.rouseRequestId);
      plane.watches.name(this.name, route, this);
    }
    if (!this.body.startCounting(false)) this.refuse(TOO_MANY_BODIES);
    else if (this.body.isFull) client.pause();
  }

  onRefused(reason: Refused): void {
    if (!this.route) return;
    if (reason === 'displaced') this.refuse(makeOverShare(this.route));
    else this.refuse(makeGivenUp(this.route, reason, this.plane.now()));
  }

  onGranted(slot: Slot): void {
    this.slot = slot;
    this.unname('granted');
    this.body.stopCounting();
    if (this.client.isPaused) this.probe(slot);
    else this.forwardTo(slot);
  }

  /**
   * A paused socket with unread data does not notice that its peer has left. Before the slot is spent, what
   * has arrived is read; when nothing more comes for a few turns of the loop, the caller is there.
   */
  private probe(slot: Slot): void {
    this.state = PROBING;
    this.quietTurns = 0;
    this.client.resume();
    const look = (): void => {
      if (this.state !== PROBING || this.slot !== slot) return;
      this.quietTurns += 1;
      if (this.quietTurns > QUIET_TURNS || this.body.bytes > MAX_PROBED) this.forwardTo(slot);
      else setImmediate(look);
    };
    setImmediate(look);
  }

  private forwardTo(slot: Slot): void {
    const { route } = this;
    if (!route) return;
    this.state = FORWARDED;
    this.cold = this.waited && slot.readyAt > this.arrivedAt;
    this.grantedAt = this.waited ? this.plane.now() : this.arrivedAt;
    this.forward.start(this, route, slot);
  }

  // What became of it

  onUnreached(reason: string): void {
    const { slot, route } = this;
    if (!slot || !route) return;
    this.forward.stop(false);
    this.slot = undefined;
    this.state = HELD;
    this.waited = true;
    this.plane.onUnreachable(slot, reason);
    slot.gate.leave(slot);
    route.gate.rejoin(this);
  }

  onRefusal(refusal: Refusal): void {
    this.refuse(refusal);
  }

  onCut(): void {
    this.abandon();
    this.client.cut();
  }

  onAnswered(clean: boolean): void {
    this.end(clean);
    this.client.finish();
  }

  onTunnelClosed(): void {
    this.end(false);
    this.client.endTunnel();
  }

  onCallerWritable(): void {
    this.forward.onCallerWritable();
    this.watch?.onWritable();
  }

  onCallerTunnelData(buffer: Buffer, length: number): void {
    this.forward.writeTunnel(buffer, length);
  }

  // Ends

  /** Time passes: the nearest of hold, run, idle and total. */
  sweep(now: number): void {
    const { route } = this;
    if (this.state === OVER || !route) return;
    if (this.state === HELD) this.sweepHeld(route, now);
    else if (now >= Math.min(this.forward.deadline, this.deadlineAt)) {
      const { slot } = this;
      const refusal = makeRunEnded(route);
      if (slot && this.isIgnored(now)) this.plane.onSilent(slot, refusal.detail);
      this.fail(refusal);
    }
  }

  /** The instance has the whole request for as long as it may run, and has said nothing. */
  private isIgnored(now: number): boolean {
    return now >= this.forward.deadline && this.client.bodyDone && this.forward.isUnanswered;
  }

  private sweepHeld(route: RevisionRoute, now: number): void {
    if (now >= Math.min(this.holdUntil, this.deadlineAt)) {
      this.refuse(makeHoldEnded(route, now - this.arrivedAt));
    } else if (this.wantsPage && now >= this.arrivedAt + PAGE_AFTER_MS) this.showPage(route, now);
  }

  /** Not for a model that is awake and merely busy: its answer is worth waiting for. */
  private showPage(route: RevisionRoute, now: number): void {
    this.wantsPage = false;
    if (route.gate.isWarm) return;
    const retryAfter = retryAfterOf(route.routing);
    this.countCode(503);
    const page = makeWaitingPage(makeStatus(route, now), retryAfter);
    this.finishLocally(page, `Retry-After: ${retryAfter}\r\n${PAGE_FIELDS}`);
    route.gate.knock();
  }

  private unname(outcome: 'granted' | 'refused'): void {
    if (this.name === '') return;
    this.plane.watches.unname(this.name, this, outcome, this.plane.now());
    this.name = '';
  }

  onCallerGone(): void {
    if (this.state === OVER) return;
    if (!this.client.isAnswering) this.countCode(CLIENT_CLOSED);
    this.abandon();
  }

  private fail(refusal: Refusal): void {
    if (this.client.isAnswering) this.onCut();
    else this.refuse(refusal);
  }

  private refuse({ status, code, detail, retryAfter }: Refusal): void {
    countRefusal(this.plane.metrics, code);
    this.countCode(status);
    const extra =
      (retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`) +
      (this.route ? `Rouse-Revision: ${this.route.routing.name}\r\n` : '');
    this.finishLocally(makeRefusal(this.dialect, status, code, detail), extra);
  }

  private finishLocally(answer: Answer, extra = ''): void {
    this.abandon();
    this.client.answer(answer, extra);
  }

  /** Ends without a whole response: the wait is cancelled or the upstream connection is dropped. */
  private abandon(): void {
    this.waitsIn?.cancel(this);
    this.end(false);
  }

  private end(clean: boolean): void {
    if (this.state === OVER) return;
    this.state = OVER;
    this.unname('refused');
    this.watch?.stop();
    this.watch = undefined;
    this.body.clear();
    const { slot } = this;
    this.slot = undefined;
    const now = this.plane.now();
    this.route?.metrics?.duration.add((now - this.arrivedAt) / 1000);
    this.forward.stop(clean);
    if (slot) slot.gate.leave(slot, now);
  }

  private countCode(status: number): void {
    const codes = this.route?.metrics?.codes;
    if (codes) codes[status - 100]! += 1;
  }
}
