import type { RoutingShadow } from '#domain/routing.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { RevisionRoute } from '../routes.ts';
import type { Way } from '../upstream/write-request.ts';
import { Answer } from './answer.ts';
import { type Budget, Copy } from './copy.ts';

/** More is not copied: what models are asked with inline is smaller, mostly by far. */
const MAX_REQUEST = 1024 * 1024;

/** A request that goes to the revision its caller gets the answer of. */
export interface Original extends Way {
  readonly head: RequestHead;
  /** Field lines that tell the instance who asks. */
  readonly forwarded: string;
  /** ms */
  readonly grantedAt: number;
}

export interface MirrorEvents {
  /** The caller has its answer. */
  onAnswered(mirror: Mirror): void;
  /** The caller got none, or left before it was whole. */
  onDropped(mirror: Mirror): void;
}

/**
 * A copy of a request and of its answer, made while both go by, for a shadow.
 *
 * Invariant: it ends in exactly one of `send` and `drop`. After a drop nothing is held.
 */
export class Mirror implements Way {
  readonly to: RevisionRoute;
  readonly shadow: RoutingShadow;
  /** The whole head: the one it came with is read into again. */
  readonly text: string;
  readonly cutsAuthorization: boolean;
  readonly forwarded: string;
  readonly path: string;
  readonly edits: Way['edits'];
  readonly body: Copy;
  readonly answer: Answer;
  private readonly grantedAt: number;
  private readonly events: MirrorEvents;

  constructor(
    original: Original,
    to: RevisionRoute,
    shadow: RoutingShadow,
    budget: Budget,
    events: MirrorEvents,
  ) {
    const { head, forwarded, path, edits, grantedAt } = original;
    this.to = to;
    this.shadow = shadow;
    this.text = head.text;
    this.cutsAuthorization = head.cutsAuthorization;
    this.forwarded = forwarded;
    this.path = path;
    this.edits = edits;
    this.body = new Copy(budget, MAX_REQUEST);
    this.answer = new Answer(budget);
    this.grantedAt = grantedAt;
    this.events = events;
  }

  /** How long the caller's answer has taken, ms. */
  tookMs(now: number): number {
    return now - this.grantedAt;
  }

  /** Of the request. */
  writeBody(buffer: Buffer, ranges: readonly number[]): boolean {
    this.body.add(buffer, ranges);
    return true;
  }

  onHead(head: ResponseHead): void {
    this.answer.onHead(head);
  }

  /** Of the answer. */
  onData(buffer: Buffer, ranges: readonly number[]): void {
    this.answer.body.add(buffer, ranges);
  }

  send(): void {
    this.events.onAnswered(this);
  }

  drop(): void {
    this.free();
    this.events.onDropped(this);
  }

  /** Gives back what it holds. */
  free(): void {
    this.body.drop();
    this.answer.body.drop();
  }
}
