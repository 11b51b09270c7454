import { lookup } from '../../exchange/destination.ts';
import type { DownstreamEvents } from '../../exchange/downstream.ts';
import { Exchange } from '../../exchange/exchange.ts';
import { pieceOf } from '../../http/pieces.ts';
import type { Plane } from '../../plane.ts';
import { quote } from '../../quote.ts';
import { type Refusal, refusal, type RefusalCode } from '../../refusal.ts';
import { BODY_STALLED } from '../../http/refusals.ts';
import type { HeldFor } from '../../exchange/held-bytes.ts';
import { STARTING, TOO_MANY_BODIES } from '../../exchange/refusals.ts';
import { type ModelRoute, type RevisionRoute, speaksGrpc } from '../../routes.ts';
import { chooseRevision } from '../../exchange/split.ts';
import type { GrpcDownstream } from '../grpc-downstream.ts';
import { GRPC } from '../../http2/grpc.ts';
import { answerModel, answerServer } from './describe.ts';
import { FirstMessage } from './first-message.ts';
import {
  type InferRequest,
  type ModelRequest,
  parseInferRequest,
  parseModelRequest,
} from './messages.ts';
import { Transcoding } from './transcoding.ts';

const SERVICE = '/inference.GRPCInferenceService/';

const ONE_MESSAGE = refusal('bad_request', 'One message is expected.');
const NO_MESSAGE = refusal('bad_request', 'A message is expected.');

const READING = 0;
const WAITING = 1;
const HANDED_ON = 2;
const OVER = 3;

export function isInferenceTarget(target: string): boolean {
  return target.startsWith(SERVICE);
}

/**
 * A call of `inference.GRPCInferenceService`. Its first message says what model it is for. Then it goes on as it
 * is where the model's own server speaks gRPC, and as V2 over HTTP to servers of ours. What is asked about
 * servers and models is answered here and wakes nothing.
 *
 * Invariant: nothing is held any more once the call is handed on or over.
 */
export class InferenceCall implements DownstreamEvents, HeldFor {
  private readonly caller: GrpcDownstream;
  private readonly plane: Plane;
  private readonly method: string;
  /** The model that host or metadata name. */
  private addressed: ModelRoute | undefined;
  private tag: string | undefined;
  private state = READING;
  private readonly first: FirstMessage;
  private pending: { readonly route: RevisionRoute; readonly request: InferRequest } | undefined;
  /** Who has the call from now on. */
  private next: Exchange | Transcoding | undefined;

  constructor(caller: GrpcDownstream, plane: Plane) {
    this.caller = caller;
    this.plane = plane;
    this.first = new FirstMessage(plane, this);
    this.method = caller.head.target.slice(SERVICE.length);
  }

  get callerId(): string {
    return this.caller.caller.id;
  }

  prepare(): void {
    this.state = READING;
  }

  begin(): void {
    const { head } = this.caller;
    const { plane } = this;
    if (!plane.routes.isKnown) {
      this.refuse(STARTING);
      return;
    }
    if (head.rouseModel !== '' || plane.routes.isModelHost(head.hostname)) this.readAddress();
    const answer = this.state === READING ? answerServer(this.method, plane) : undefined;
    if (answer) this.answer(answer);
  }

  /** A model that is addressed as for any other call, and speaks gRPC, gets it without a look at its messages. */
  private readAddress(): void {
    const { caller, plane } = this;
    const destination = plane.addressing(caller.head, plane.routes, caller.peer);
    if (destination.kind === 'unknown') this.refuseWith('not_found', destination.detail);
    if (destination.kind !== 'model') return;
    this.addressed = destination.model;
    this.tag = destination.tag;
    const revisions = [...destination.model.revisions.values()];
    if (revisions.length > 0 && revisions.every(speaksGrpc)) this.passOn(undefined);
  }

  // The message

  onBody(buffer: Buffer, ranges: readonly number[]): void {
    if (this.state === HANDED_ON) this.next?.onBody(buffer, ranges);
    if (this.state >= HANDED_ON) return;
    const refused = this.first.take(pieceOf(buffer, ranges));
    if (refused) this.refuse(refused);
    else if (this.state === READING) this.readMessage();
    else if (this.state === WAITING) this.refuse(ONE_MESSAGE);
  }

  private readMessage(): void {
    const read = this.first.read();
    if (!read) return;
    if ('detail' in read) this.refuse(read);
    else this.onMessage(read.message, read.isFollowed);
  }

  private onMessage(message: Buffer, isFollowed: boolean): void {
    try {
      const asked = parseModelRequest(message);
      if (this.method.endsWith('Infer')) this.findRevision(asked, message);
      else this.describe(asked);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.refuseWith('bad_request', `The message is malformed: ${error.message}.`);
    }
    if (isFollowed && this.state === WAITING) this.refuse(ONE_MESSAGE);
  }

  /** The message is read as a whole only for a model that is there and needs it. */
  private findRevision({ name, version }: ModelRequest, message: Uint8Array): void {
    const model = this.find(name);
    if (!model) return;
    const { plane, caller } = this;
    const revision = version === '' ? caller.head.rouseRevision : version;
    const choice = chooseRevision(plane, model, revision, this.tag, caller.head.fields);
    if ('detail' in choice) this.refuse(choice);
    else if (speaksGrpc(choice.route)) this.passOn(choice.route);
    else if (this.method === 'ModelStreamInfer') {
      this.refuseWith('not_implemented', `${model.routing.name} has no streams.`);
    } else {
      this.pending = { route: choice.route, request: parseInferRequest(message) };
      this.state = WAITING;
    }
  }

  private find(name: string): ModelRoute | undefined {
    const model = this.addressed ?? lookup(name, this.plane.routes);
    if (!model) {
      const detail = `There is no model ${quote(name)}.`;
      this.refuseWith('not_found', detail);
    }
    return model;
  }

  onBodyEnd(trailers: string): void {
    const { pending, state } = this;
    if (state === HANDED_ON) this.next?.onBodyEnd(trailers);
    else if (state === READING) this.refuse(NO_MESSAGE);
    else if (state === WAITING && pending) this.transcode(pending.route, pending.request);
  }

  // Where it goes

  /** To a server that speaks gRPC, the messages as they came. */
  private passOn(route: RevisionRoute | undefined): void {
    const { caller, plane } = this;
    if (route) {
      caller.head.rouseModel = `${route.model.routing.namespace}/${route.model.routing.name}`;
      caller.head.rouseRevision = route.routing.name;
    }
    const pieces = this.letGo(HANDED_ON);
    const exchange = new Exchange(caller, plane);
    this.next = exchange;
    exchange.prepare();
    for (const piece of pieces) exchange.onBody(piece, [0, piece.length]);
    exchange.begin(false);
  }

  private transcode(route: RevisionRoute, request: InferRequest): void {
    this.letGo(HANDED_ON);
    const transcoding = new Transcoding(this.caller, this.plane);
    this.next = transcoding;
    transcoding.start(route, request);
  }

  private describe({ name, version }: ModelRequest): void {
    const model = this.find(name);
    if (!model) return;
    const { caller, method, tag, plane } = this;
    const revision = version === '' ? caller.head.rouseRevision : version;
    this.answer(answerModel(method, model, revision, tag, plane.now()));
  }

  // Answers

  private answer(answer: Uint8Array | Refusal): void {
    if ('detail' in answer) {
      this.refuse(answer);
      return;
    }
    this.letGo(OVER);
    this.caller.answerMessage(answer, '');
  }

  private refuseWith(code: RefusalCode, detail: string): void {
    this.refuse(refusal(code, detail));
  }

  private refuse(refusal: Refusal): void {
    if (this.state >= HANDED_ON) return;
    this.letGo(OVER);
    this.caller.refuse(refusal);
  }

  onCrowded(): void {
    this.refuse(TOO_MANY_BODIES);
  }

  private letGo(state: number): Buffer[] {
    this.state = state;
    this.pending = undefined;
    return this.first.letGo();
  }

  onBadBody(refusal: Refusal): void {
    if (this.state === HANDED_ON) this.next?.onBadBody(refusal);
    else this.refuse(refusal);
  }

  onBodyStalled(): void {
    this.onBadBody(BODY_STALLED);
  }

  onCallerWritable(): void {
    if (this.state === HANDED_ON) this.next?.onCallerWritable();
  }

  onCallerGone(): void {
    if (this.state === HANDED_ON) this.next?.onCallerGone();
    else this.letGo(OVER);
  }

  sweep(now: number): void {
    if (this.state === HANDED_ON) this.next?.sweep(now);
    else if (now >= this.caller.givesUpAt && this.state < HANDED_ON) {
      this.letGo(OVER);
      this.caller.answerStatus(GRPC.deadlineExceeded, 'The message did not arrive in time.', '');
    } else if (this.first.isStalled(now)) this.refuse(BODY_STALLED);
  }
}
