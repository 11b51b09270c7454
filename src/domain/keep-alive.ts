import { z } from 'zod';
import { cron, timeZone } from './cron-text.ts';
import { duration } from './units.ts';

/** How long an idle instance is kept: `spec.keepAlive` of a model. */

/** Shorter than that, it would be over before most models are awake; and crontab counts in minutes. */
const SHORTEST_MS = 60_000;
const MOST_SCHEDULES = 32;

const schedule = z.strictObject({
  cron: cron.meta({ description: 'When it begins, as in crontab, such as 0 8 * * MON-FRI.' }),
  timeZone: timeZone.default('UTC'),
  duration: duration
    .refine((ms) => ms >= SHORTEST_MS, 'at least 1m')
    .meta({ description: 'For how long from then on, such as 10h.' }),
  min: z.int().min(1).max(1000).default(1).meta({ description: 'Instances kept meanwhile.' }),
});

/** Whatever the policy says, it is kept in these times. */
const byAnyPolicy = {
  schedules: z
    .array(schedule)
    .min(1)
    .max(MOST_SCHEDULES)
    .optional()
    .meta({ description: 'Times in which instances are kept ready, whoever asks.' }),
};

export const keepAlive = z.discriminatedUnion('policy', [
  z.strictObject({ policy: z.literal('adaptive'), ...byAnyPolicy }),
  z.strictObject({
    policy: z.literal('fixed'),
    idle: duration.prefault('60s').meta({ description: 'How long it is kept ready.' }),
    park: duration.prefault('0s').meta({
      description: 'How long it is kept frozen after that, ready again in milliseconds.',
    }),
    ...byAnyPolicy,
  }),
]);

export type KeepAliveSpec = z.output<typeof keepAlive>;
export type ScheduleSpec = z.output<typeof schedule>;
