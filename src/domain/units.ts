import { z } from 'zod';

export const DAY_MS = 86_400_000;
const MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS };
const BYTES: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

const SPAN = /^(0|[0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d))$/;
/** What a timer of the system can hold (2^31 ms), in whole days. */
const LONGEST_DURATION_DAYS = 24;
const DURATION = 'a duration such as 500ms, 30s, 5m, 1h or 2d';
/** Ten years: what shall be kept for longer shall be kept. */
const LONGEST_PERIOD_DAYS = 3650;
const PERIOD = 'a period such as 12h, 7d or 30d';
const SIZE = 'a size such as 64Mi or 2G';
const CPU = 'a number of cores such as 500m or 2';

/** `500ms`, `30s`, `5m`, `1h`, `2d`, kept as a text. */
export const durationText = z
  .string({ error: DURATION })
  .regex(SPAN, { error: DURATION, abort: true })
  .refine(
    (text) => parseDuration(text) <= LONGEST_DURATION_DAYS * DAY_MS,
    `a duration of at most ${LONGEST_DURATION_DAYS}d`,
  );

/** The same in the file; milliseconds inside. */
export const duration = durationText
  .meta({ description: 'A duration such as 500ms, 30s, 5m, 1h or 2d.' })
  .transform(parseDuration);

const periodText = z
  .string({ error: PERIOD })
  .regex(SPAN, { error: PERIOD, abort: true })
  .refine(
    (text) => parseDuration(text) <= LONGEST_PERIOD_DAYS * DAY_MS,
    `a period of at most ${LONGEST_PERIOD_DAYS}d`,
  );

/** As a duration, but longer: what no timer has to wait for. */
export const period = periodText
  .meta({ description: 'A period such as 12h, 7d or 30d.' })
  .transform(parseDuration);

/** `64Mi`, `1G` or plain bytes in the file; bytes inside. */
export const size = z
  .union([
    z.string({ error: SIZE }).regex(/^[0-9]{1,12}(\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?$/, SIZE),
    z.int({ error: SIZE }).min(0),
  ])
  .meta({ description: 'A size in bytes such as 64Mi or 2G.' })
  .transform((value) => (typeof value === 'number' ? value : parseSize(value)));

/** `500m` or `2` in the file; cores inside. */
export const cpu = z
  .union([
    z.string({ error: CPU }).regex(/^([0-9]{1,6}m|[0-9]{1,4}(\.[0-9]{1,3})?)$/, CPU),
    z.number({ error: CPU }).min(0).lt(10_000),
  ])
  .meta({ description: 'A number of cores such as 500m or 2.' })
  .transform((value) => (typeof value === 'number' ? value : parseCores(value)));

function parseDuration(text: string): number {
  const unit = /[a-z]+$/.exec(text)?.[0];
  return unit ? Number(text.slice(0, -unit.length)) * (MS[unit] ?? 1) : 0;
}

function parseCores(text: string): number {
  return text.endsWith('m') ? Number(text.slice(0, -1)) / 1000 : Number(text);
}

function parseSize(text: string): number {
  const unit = /[A-Za-z]*$/.exec(text)?.[0] ?? '';
  return Math.round(Number(text.slice(0, text.length - unit.length)) * (BYTES[unit] ?? 1));
}

/** Milliseconds as the largest unit that leaves a short number: `90s`, `5m`, `1.5s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 120_000) return `${Number((ms / 1000).toFixed(1))}s`;
  if (ms < 7_200_000) return `${Number((ms / 60_000).toFixed(1))}m`;
  return `${Number((ms / 3_600_000).toFixed(1))}h`;
}

/** As a duration, but long ones in days: `30d`. */
export function formatPeriod(ms: number): string {
  return ms < 2 * DAY_MS ? formatDuration(ms) : `${Number((ms / DAY_MS).toFixed(1))}d`;
}

/** A moment, ms since the epoch, to the second, in UTC. */
export function formatTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
