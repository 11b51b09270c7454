import pino from 'pino';
import pretty from 'pino-pretty';

export type Log = pino.Logger;

/** Values of these keys never reach a log line, at whatever depth, in upper or lower case. */
const SECRET_KEYS = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'token',
  'secret',
  'password',
  'apikey',
  'api-key',
  'api_key',
  'x-api-key',
]);
const HIDDEN = '[hidden]';
/** Deeper things are of no use in a line of a log. */
const DEPTH = 6;

/** Structured JSON lines on stderr; readable ones when stderr is a terminal. */
export function createLog(options: { level?: string; terminal: boolean }): Log {
  const settings = {
    level: options.level ?? 'info',
    base: null,
    formatters: { log: (line: object) => withoutSecrets(line, DEPTH) },
    // The formatter does not see what a child log adds to each line.
    redact: { paths: [...SECRET_KEYS].map((key) => `["${key}"]`), censor: HIDDEN },
  };
  if (!options.terminal) return pino(settings, pino.destination({ fd: 2, sync: true }));
  return pino(
    settings,
    pretty({
      destination: 2,
      sync: true,
      colorize: true,
      // The time of where it is read, and by how much that is off from the time of all.
      translateTime: "SYS:yyyy-mm-dd'T'HH:MM:ss.lo",
      ignore: 'pid',
    }),
  );
}

function withoutSecrets(line: object, depth: number): Record<string, unknown> {
  const clean = (key: string, value: unknown): unknown =>
    SECRET_KEYS.has(key.toLowerCase()) ? HIDDEN : cleanValue(value, depth - 1);
  return Object.fromEntries(Object.entries(line).map(([key, value]) => [key, clean(key, value)]));
}

function cleanValue(value: unknown, depth: number): unknown {
  // pino prints errors itself.
  if (typeof value !== 'object' || value === null || value instanceof Error) return value;
  if (depth === 0) return '[deeper]';
  return Array.isArray(value)
    ? value.map((each) => cleanValue(each, depth - 1))
    : withoutSecrets(value, depth);
}

export const silentLog: Log = pino({ level: 'silent' });
