import { z } from 'zod';
import { messageOf } from '#lib/fault.ts';
import { type Cron, nextAfter, parseCron } from './cron.ts';
import { findTimeZone, type TimeZone } from './time-zone.ts';

/** Which days there are is the same everywhere, and its clock costs nothing. */
const ANY_ZONE: TimeZone = { name: 'UTC', offsetAt: () => 0 };

/** Kept as it was written; `parseCron` reads it. */
export const cron = z
  .string()
  .max(128)
  // What is wrong within the fields is told in words, below.
  .regex(/^(@[a-z]+|\S+( +\S+){4})$/, {
    error: 'five fields such as 0 3 * * *, or @daily',
    abort: true,
  })
  .superRefine((text, context) => {
    const refuse = (message: string): void => context.addIssue({ code: 'custom', message });
    try {
      if (!comes(parseCron(text))) refuse('a day that there is, unlike 30 February');
    } catch (error) {
      refuse(messageOf(error));
    }
  })
  .meta({ description: 'As in crontab, such as 0 3 * * *, or @daily.' });

export const timeZone = z
  .string()
  .max(64)
  .refine((name) => findTimeZone(name) !== undefined, 'a time zone such as Europe/Berlin')
  .meta({ description: 'Whose clock it goes by.' });

function comes(parsed: Cron): boolean {
  return nextAfter(parsed, ANY_ZONE, 0) !== undefined;
}
