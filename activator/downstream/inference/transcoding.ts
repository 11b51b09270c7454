import type { Answer } from '../../exchange/answers.ts';
import type { Downstream } from '../../exchange/downstream.ts';
import { Exchange } from '../../exchange/exchange.ts';
import { parseLength } from '../../http/fields.ts';
import { HeldPieces } from './held-pieces.ts';
import { pieceOf } from '../../http/pieces.ts';
import { RequestHead } from '../../http/request-head.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import type { Plane } from '../../plane.ts';
import type { Refusal } from '../../refusal.ts';
import type { RevisionRoute } from '../../routes.ts';
import type { GrpcDownstream } from '../grpc-downstream.ts';
import { fieldsOfLines, linesOfHead } from '../../http2/fields.ts';
import { GRPC, grpcStatusOfHttp } from '../../http2/grpc.ts';
import type { InferRequest } from './messages.ts';
import { makeHttpInfer } from './request.ts';
import { errorOf, makeGrpcInfer } from './response.ts';

/** An answer is held whole to be turned into a message; as large as a request may be. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** Fields of the gRPC call that are not those of the HTTP request. */
const OF_GRPC =
  /^(grpc-.*|te|host|expect|content-type|content-length|transfer-encoding|accept-encoding|inference-header-content-length|rouse-model|rouse-revision)$/;

/**
 * A ModelInfer call, shown to an exchange of its own as a V2 request over HTTP; the answer is read whole and
 * becomes a message, or a status.
 *
 * Invariant: the caller gets exactly one answer; `answered` is set with it.
 */
export class Transcoding implements Downstream {
  readonly head = new RequestHead();
  readonly bodyDone = true;
  readonly isGrpc = false;
  readonly isPaused = false;
  isAnswering = false;
  private readonly outer: GrpcDownstream;
  private readonly exchange: Exchange;
  private answered = false;
  private status = 0;
  private extra = '';
  private jsonLength = -1;
  private readonly held: HeldPieces;

  constructor(outer: GrpcDownstream, plane: Plane) {
    this.outer = outer;
    this.held = new HeldPieces(plane);
    this.exchange = new Exchange(this, plane);
  }

  start(route: RevisionRoute, request: InferRequest): void {
    let made: ReturnType<typeof makeHttpInfer>;
    try {
      made = makeHttpInfer(request);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.end(GRPC.invalidArgument, `${error.message}.`);
      return;
    }
    const refusal = this.head.read(this.makeHead(route, request, made.json.length, made.length));
    if (refusal) {
      this.refuse(refusal);
      return;
    }
    this.exchange.prepare();
    for (const part of [made.json, ...made.tensors]) {
      const piece = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
      if (piece.length > 0) this.exchange.onBody(piece, [0, piece.length]);
    }
    this.exchange.begin(false);
  }

  private makeHead(
    { model, routing }: RevisionRoute,
    { modelVersion }: InferRequest,
    jsonLength: number,
    length: number,
  ): string {
    const { namespace, name } = model.routing;
    const version = modelVersion === '' ? '' : `/versions/${encodeURIComponent(modelVersion)}`;
    const fields = fieldsOfLines(linesOfHead(this.outer.head.text));
    let kept = '';
    for (let i = 0; i < fields.length; i += 2) {
      if (!OF_GRPC.test(fields[i]!)) kept += `${fields[i]}: ${fields[i + 1]}\r\n`;
    }
    return (
      `POST /v2/models/${name}${version}/infer HTTP/1.1\r\nhost: ${this.outer.head.host}\r\n${kept}` +
      `rouse-model: ${namespace}/${name}\r\nrouse-revision: ${routing.name}\r\n` +
      `content-type: application/octet-stream\r\ncontent-length: ${length}\r\n` +
      `inference-header-content-length: ${jsonLength}\r\n\r\n`
    );
  }

  get peer(): Downstream['peer'] {
    return this.outer.peer;
  }

  get caller(): Downstream['caller'] {
    return this.outer.caller;
  }

  get forwarded(): string {
    return this.outer.forwarded;
  }

  get givesUpAt(): number {
    return this.outer.givesUpAt;
  }

  // The request is there as a whole

  pause(): void {}
  resume(): void {}
  askForBody(): void {}

  takeAhead(): Buffer | undefined {
    return undefined;
  }

  onBody(): void {}
  onBodyEnd(): void {}
  onCallerWritable(): void {}

  onBadBody(refusal: Refusal): void {
    this.exchange.onBadBody(refusal);
  }

  onCallerGone(): void {
    this.answered = true;
    this.held.letGo();
    this.exchange.onCallerGone();
  }

  sweep(now: number): void {
    this.exchange.sweep(now);
  }

  // An answer made here

  answer(answer: Answer, extra = ''): void {
    if (this.answered) return;
    this.answered = true;
    this.outer.answer(answer, extra);
  }

  refuse(refusal: Refusal): void {
    if (this.answered) return;
    this.answered = true;
    this.outer.refuse(refusal);
  }

  private end(status: number, message: string): void {
    if (this.answered) return;
    this.answered = true;
    this.held.letGo();
    this.outer.answerStatus(status, message, this.extra);
  }

  // The instance's answer

  cork(): void {}
  uncork(): void {}
  writeInformational(): void {}

  writeHead(head: ResponseHead, extra: string): void {
    this.isAnswering = true;
    this.status = head.status;
    this.extra = extra;
    this.jsonLength = parseLength(head.fields.find('inference-header-content-length'));
  }

  writeBody(buffer: Buffer, ranges: readonly number[]): boolean {
    const piece = pieceOf(buffer, ranges);
    if (this.held.count + piece.length > MAX_ANSWER || !this.held.take(piece)) {
      this.end(GRPC.resourceExhausted, 'The answer is larger than what may be held.');
      this.exchange.onCallerGone();
      return true;
    }
    return true;
  }

  endBody(): void {
    const body = this.held.join();
    if (this.status >= 300) {
      this.end(grpcStatusOfHttp(this.status), errorOf(body));
      return;
    }
    let message: Uint8Array;
    try {
      message = makeGrpcInfer(body, this.jsonLength);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.end(GRPC.internal, `The answer of the instance was not understood: ${error.message}.`);
      return;
    }
    this.held.letGo();
    if (this.answered) return;
    this.answered = true;
    this.outer.answerMessage(message, this.extra);
  }

  finish(): void {}

  cut(): void {
    this.end(GRPC.unavailable, 'The instance was lost in the middle of its answer.');
  }

  // No upgrade is ever asked for

  writeSwitch(): void {
    this.cut();
  }

  writeTunnel(): boolean {
    return true;
  }

  endTunnel(): void {
    this.cut();
  }
}
