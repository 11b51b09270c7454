import type { Peer } from './entry/listener.ts';
import type { HeadEdits } from './http/head-edits.ts';
import type { RequestHead } from './http/request-head.ts';
import type { ModelRoute, Routes } from './routes.ts';

/**
 * Finds where a request goes. It is asked for each head that is not the one before, and must not keep it. `peer`: who
 * is at the other end of the connection, and by which port it came.
 */
export type Addressing = (head: RequestHead, routes: Routes, peer: Peer) => Destination;

export type Destination =
  | ToModel
  | ToSplit
  | ToActivator
  | ToAnswer
  | ToBody
  | ToStatus
  | ToRequest
  | Unknown;

/** Whose error envelope a refusal takes. */
export type Dialect = 'problem' | 'v2' | 'openai';

/** To a model: `path` goes to the instance. */
export interface ToModel {
  readonly kind: 'model';
  readonly model: ModelRoute;
  readonly revision: string;
  readonly tag: string | undefined;
  readonly path: string;
  readonly dialect: Dialect;
  /** What this way changes in the head. Absent: nothing. */
  readonly edits?: HeadEdits | undefined;
}

/** To one of several models, each request anew. */
export interface ToSplit {
  readonly kind: 'split';
  readonly rows: readonly SplitRow[];
  /** Of each row, and the memory of the split, which outlives the destination: see `policies/traffic.ts`. */
  readonly weights: Int32Array;
  readonly credit: Int32Array;
  readonly path: string;
  readonly dialect: Dialect;
}

export interface SplitRow {
  /** `namespace/name`. */
  readonly model: string;
  readonly edits: HeadEdits | undefined;
}

/** Answered here: server and model metadata, health. Never wakes anything. */
export interface ToActivator {
  readonly kind: 'local';
  readonly what:
    | 'health'
    | 'v2-server'
    | 'v2-live'
    | 'v2-ready'
    | 'v2-model'
    | 'v2-model-ready'
    | 'v1-model'
    | 'openai-models';
  readonly model?: ModelRoute;
  readonly revision: string;
  readonly tag?: string | undefined;
}

/** Answered with this: a probe, for example. */
interface ToAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** More field lines, or ''. */
  readonly fields: string;
}

/** The body's `model` field decides. */
interface ToBody {
  readonly kind: 'body';
}

/** What is known of a model and of a request that waits for it. Never wakes anything. */
export interface ToStatus {
  readonly kind: 'status';
  readonly model: ModelRoute;
  readonly revision: string;
  readonly tag: string | undefined;
}

/** An asynchronous request, or its answer: control knows of both. */
export interface ToRequest {
  readonly kind: 'request';
  readonly id: string;
  readonly what: 'state' | 'answer';
}

export interface Unknown {
  readonly kind: 'unknown';
  readonly detail: string;
  readonly dialect: Dialect;
}

/** Text. `fields`: more field lines, or ''. */
export function makeAnswer(status: number, body: string, fields = ''): Destination {
  return { kind: 'answer', status, type: 'text/plain; charset=utf-8', body, fields };
}

export function makeUnknown(detail: string, dialect: Dialect = 'problem'): Unknown {
  return { kind: 'unknown', detail, dialect };
}
