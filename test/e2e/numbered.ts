import { resolve } from 'node:path';

const PROGRAM = resolve(import.meta.dirname, 'programs/numbered.mjs');

/** `args` of a model, as JSON: it writes each numbered request into the log, and listens once the gate is there. */
export function numberedArgs(log: string, version = 'v1', ...gate: readonly string[]): string {
  return JSON.stringify(['node', PROGRAM, '${PORT}', version, log, ...gate]);
}
