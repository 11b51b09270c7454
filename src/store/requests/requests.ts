import type { AsyncRequest, Delivery, DeliveryState, RequestState } from '#domain/async-request.ts';

/** What is sent to the model, and what came back. `fields`: HTTP field lines, each with its CRLF. */
export interface Content {
  readonly fields: string;
  readonly body: Uint8Array;
}

export interface NewRequest {
  /** As it is stored, in state `waiting`. */
  readonly request: AsyncRequest;
  readonly content: Content;
  /** Host that the caller sent. */
  readonly host: string;
  /** The caller's own name for it. */
  readonly idempotencyKey?: string | undefined;
}

/** One that may be sent now. `attempts` counts this one. */
export interface Taken {
  readonly request: AsyncRequest;
  readonly host: string;
  readonly content: Content;
}

/** The model's answer. */
export interface StoredAnswer extends Content {
  readonly status: number;
}

/** What became of an attempt. */
export type Outcome =
  | { readonly state: 'waiting'; readonly at: number; readonly reason: string }
  | {
      readonly state: 'done' | 'failed';
      readonly reason: string;
      readonly answer?: StoredAnswer | undefined;
    };

export interface RequestQuery {
  readonly namespace: string;
  readonly model?: string | undefined;
  readonly state?: RequestState | undefined;
  /** Older than this one. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Requests, and bytes of what is stored of them. */
export interface RequestCounts {
  readonly waiting: number;
  readonly running: number;
  readonly ended: number;
  readonly bytes: number;
}

/**
 * Things that wait to be sent, in lanes that go on independently of each other. What has been taken and is not
 * settled when its taker dies is taken again.
 */
export interface Lanes<T> {
  /** Those with something that is due. */
  lanes(now: number): Promise<string[]>;
  /** Of what is due, the most urgent first, as much as there is room for; durably taken when it resolves. */
  take(lane: string, room: Room, now: number): Promise<T[]>;
}

export interface Room {
  readonly count: number;
  /** Of their content, which whoever takes them has in memory. The first one may have more. */
  readonly bytes: number;
}

/** Lanes are models: `namespace/model`. All that changes something is durable when it resolves. */
export interface RequestQueue extends Lanes<Taken> {
  /**
   * One with the same idempotency key of the same caller and model is not stored again: `repeated`, with what is
   * stored. Fault `invalid` when that is another request: its method, path, body, `Content-` fields or webhook differ;
   * `queue_full` when there is no room.
   */
  add(request: NewRequest): Promise<{ request: AsyncRequest; repeated: boolean }>;
  get(id: string): Promise<AsyncRequest | undefined>;
  answer(id: string): Promise<StoredAnswer | undefined>;
  /** Newest first. */
  list(query: RequestQuery): Promise<AsyncRequest[]>;
  /** Undefined: that attempt is not running any more, and what became of it does not count. */
  settle(
    id: string,
    attempt: number,
    outcome: Outcome,
    now: number,
  ): Promise<AsyncRequest | undefined>;
  /** Undefined: it has ended, or there is none. */
  cancel(id: string, now: number): Promise<AsyncRequest | undefined>;
  /** Ends those whose deadline has passed, some at a time; their ids. */
  expire(now: number): Promise<string[]>;
  counts(): Promise<RequestCounts>;
}

/** Lanes are origins of webhooks. */
export interface DeliveryQueue extends Lanes<Delivery> {
  /** Undefined: that attempt does not run any more. */
  settle(
    id: string,
    attempt: number,
    outcome: {
      readonly state: 'waiting' | 'delivered' | 'dead';
      readonly at: number;
      readonly reason: string;
    },
  ): Promise<Delivery | undefined>;
  /** One that is dead is due again; undefined: there is none that is. */
  replay(id: string, now: number): Promise<Delivery | undefined>;
  list(query: {
    readonly namespace: string;
    readonly state?: DeliveryState | undefined;
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<Delivery[]>;
  counts(): Promise<Readonly<Record<DeliveryState, number>>>;
}

/**
 * Asynchronous requests, their answers, and who is to be told of them. When a request with a webhook ends, its
 * delivery is there in the same transaction. An implementation is whatever passes `test/store/requests-conformance.ts`.
 */
export interface Requests {
  readonly requests: RequestQueue;
  readonly deliveries: DeliveryQueue;
  /**
   * What had been taken when the last holder died is due again; how many of each. Where that one's clock was ahead of `now`,
   * all times are so much earlier, or what waits and is kept would wait and be kept for as long as the clock was wrong.
   */
  recover(now: number): Promise<{ requests: number; deliveries: number }>;
  /** Forgets what ended longer ago than is kept, some at a time, unless somebody is still to be told of it. */
  forget(now: number): Promise<number>;
  close(): Promise<void>;
}

export interface RequestLimits {
  /** Requests that are kept, in whatever state. */
  readonly requests: number;
  /**
   * Of their bodies and answers. When there is no room, the answer that is oldest of the caller who has most is forgotten,
   * or else one of the caller's own; what has not ended never is.
   */
  readonly bytes: number;
  /** For how long an answer is kept, ms. */
  readonly keepMs: number;
}
