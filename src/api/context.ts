import type { Socket } from 'node:net';
import type { Context } from 'hono';
import type { UseCases } from '#control/usecases/usecases.ts';
import type { Actor } from '#domain/records.ts';
import type { CurlWay } from '#domain/views.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';

export interface ApiOptions {
  readonly useCases: UseCases;
  /** The Prometheus text of everything. */
  readonly metrics: () => Promise<string>;
  readonly ready: () => boolean;
  /** Names under which control is reached, besides loopback; one without a port stands for every port. */
  readonly allowedHosts: readonly string[];
  /** True on any other address than loopback. */
  readonly requireKey: boolean;
  readonly version: string;
  /** The data plane as a caller writes it: `http://127.0.0.1:8080`. */
  readonly dataPlane: () => string;
  readonly curlWay: () => CurlWay;
  /** Behind the models' host names. */
  readonly domain: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Ends the streams, which would else never end. */
  readonly closing: AbortSignal;
}

export interface ApiEnv {
  Bindings: {
    readonly incoming?: { readonly socket: Pick<Socket, 'localAddress' | 'localPort'> };
    /** Whom `createLocalFetch` speaks for. No request over a socket can set it. */
    readonly localActor?: Actor;
  };
  Variables: { actor: Actor; requestId: string };
}

export type ApiContext = Context<ApiEnv>;
