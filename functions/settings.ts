import type { RequestListener } from 'node:http';
import {
  ENV_INSPECTION,
  ENV_KIND,
  ENV_REVISION,
  ENV_SOCKET,
  ENV_SOURCE,
  ENV_TELL_FAILURES,
  type ServerMetadata,
} from '#domain/launch.ts';
import type { Inspection } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';

/** What the runtime said through the environment. It is trusted: the runtime is ours. */
export interface Settings {
  readonly kind: 'onnx' | 'function';
  readonly source: string;
  readonly listen: { readonly path: string } | { readonly port: number; readonly host: string };
  readonly inspection: Inspection | undefined;
  readonly revision: string | undefined;
  readonly tellsFailures: boolean;
}

/** A model that can take requests. `loadMs`: the time that it took itself, without the libraries that serve it. */
export interface Loaded {
  readonly listener: RequestListener;
  readonly loadMs: number;
  /** Absent for what does not speak V2 and V1. */
  readonly metadata?: ServerMetadata;
}

export type Load = (settings: Settings) => Promise<Loaded>;

/** A model of ours, and requests to it: what they make Node load and compile no caller waits for any more. */
export interface Rehearsal {
  /** Loads the model that comes then: even what is imported already takes its time to import again. */
  readonly load: Load;
  readonly listener: RequestListener;
  readonly requests: readonly { readonly path: string; readonly body?: string }[];
}

export function parseSettings(env: NodeJS.ProcessEnv): Settings {
  const inspection = env[ENV_INSPECTION];
  return {
    kind: kindOf(env),
    source: required(env, ENV_SOURCE),
    listen: listenOf(env),
    inspection: inspection ? parseInspection(inspection) : undefined,
    revision: env[ENV_REVISION],
    tellsFailures: Boolean(env[ENV_TELL_FAILURES]),
  };
}

export function kindOf(env: NodeJS.ProcessEnv): Settings['kind'] {
  const kind = required(env, ENV_KIND);
  if (kind === 'onnx' || kind === 'function') return kind;
  throw new Fault('invalid', `${ENV_KIND}: found ${kind}, expected onnx or function`);
}

function parseInspection(text: string): Inspection {
  return JSON.parse(text);
}

export function listenOf(env: NodeJS.ProcessEnv): Settings['listen'] {
  const path = env[ENV_SOCKET];
  if (path) return { path };
  const port = Number(required(env, 'PORT'));
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return { port, host: '127.0.0.1' };
  throw new Fault('invalid', `PORT: found ${env['PORT']}, expected a port number`);
}

/** The descriptor of a pipe to the runtime, where there is one. */
export function parseDescriptor(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,5}$/.test(value) ? Number(value) : undefined;
}

export function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (!value) throw new Fault('invalid', `${name} is not set`);
  return value;
}
