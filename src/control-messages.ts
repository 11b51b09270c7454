import type { MessagePort } from 'node:worker_threads';
import type { ServerSettings } from '#domain/server.ts';
import type { Started } from './sources.ts';

/** What the control thread is started with. */
export interface ControlStart {
  readonly settings: ServerSettings;
  readonly version: string;
  /** The data plane as a caller writes it. */
  readonly dataPlane: string;
  readonly bus: MessagePort;
  readonly folder: { readonly path: string; readonly stateId: string };
  readonly apply: string | undefined;
  readonly watch: boolean;
  readonly terminal: boolean;
}

/** What it says. */
export type FromControl =
  | { readonly type: 'listening'; readonly control: string }
  /** The folder has been applied, and its models have settled. */
  | { readonly type: 'settled'; readonly started: Started }
  /** It could not start. */
  | { readonly type: 'failed'; readonly message: string };

/** Asks it to end; its thread exits when it has. */
export interface ToControl {
  readonly type: 'close';
  readonly graceMs: number;
}
