import { z } from 'zod';
import { messageOf } from '#lib/fault.ts';
import { parseCron } from './cron.ts';

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
      // Which days there are is the same everywhere.
      if (parseCron(text).nextRun(0) === undefined)
        refuse('a day that there is, unlike 30 February');
    } catch (error) {
      refuse(messageOf(error));
    }
  })
  .meta({ description: 'As in crontab, such as 0 3 * * *, or @daily.' });

export const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'a time zone such as Europe/Berlin')
  .meta({ description: 'Whose clock it goes by.' });

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
