import pino from 'pino';
import pretty from 'pino-pretty';

export type Log = pino.Logger;

/** Keys whose values never reach a log line. */
const SECRET_KEYS = ['authorization', 'cookie', 'token', 'secret', 'password'];

/** Structured JSON lines on stderr; readable ones when stderr is a terminal. */
export function createLog(options: { level?: string; terminal: boolean }): Log {
  const redact = SECRET_KEYS.flatMap((key) => [key, `*.${key}`]);
  const settings = { level: options.level ?? 'info', redact, base: null };
  if (!options.terminal) return pino(settings, pino.destination({ fd: 2, sync: true }));
  return pino(
    settings,
    pretty({
      destination: 2,
      sync: true,
      colorize: true,
      translateTime: 'HH:MM:ss',
      ignore: 'pid',
    }),
  );
}

export const silentLog: Log = pino({ level: 'silent' });
