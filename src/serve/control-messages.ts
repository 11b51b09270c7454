import type { MessagePort } from 'node:worker_threads';
import type { StreamAddress } from '#bus/stream.ts';
import type { ServerSettings } from '#domain/server.ts';
import type { Started } from './apply-at-start.ts';

/** What control is started with, wherever it runs. */
export interface ControlSetup {
  readonly settings: ServerSettings;
  readonly version: string;
  /** The data plane as a caller writes it. */
  readonly dataPlane: string;
  readonly folder: { readonly path: string; readonly stateId: string };
  /** A folder of model files. */
  readonly apply: string | undefined;
  /** Its files have been applied in the life of this server: what was changed since is not to be undone. */
  readonly applied: boolean;
  readonly watch: boolean;
  readonly terminal: boolean;
}

/** In a thread. */
export interface ControlStart extends ControlSetup {
  readonly bus: MessagePort;
}

/** In a process. */
export interface ControlProcessStart extends ControlSetup {
  readonly bus: StreamAddress;
  /** The data planes whose processes live. */
  readonly alive: readonly string[];
}

/** What it says. */
export type FromControl =
  | { readonly type: 'listening'; readonly control: string; readonly port: number }
  /** The folder has been applied, and its models have settled. */
  | { readonly type: 'settled'; readonly started: Started }
  /** It could not start. */
  | { readonly type: 'failed'; readonly message: string }
  /** A process: it was asked by a signal to end, and waits for `close`. */
  | { readonly type: 'leaving' };

/** Asks it to end; its thread or process exits when it has. */
export interface ToControl {
  readonly type: 'close';
  readonly graceMs: number;
}

export type ToControlProcess =
  | ToControl
  | { readonly type: 'start'; readonly start: ControlProcessStart }
  | { readonly type: 'alive'; readonly alive: readonly string[] };
