import { z } from 'zod';
import { measureName } from './measures.ts';
import { checkSignal, rule } from './model-rules.ts';
import { durationText } from './units.ts';

/** Keys of `scaling` in a model file: what says how many instances are needed, how fast that changes, and shares. */

export const SIGNALS = [
  'concurrency',
  'requests',
  'queueWait',
  'latency',
  'cpu',
  'memory',
  'gpu',
  'tokens',
  'prometheus',
  'custom',
] as const;
export type SignalName = (typeof SIGNALS)[number];

/** More would only blur each other. */
const MOST_SIGNALS = 16;
/** As a HorizontalPodAutoscaler has it. */
const LONGEST_SECONDS = 3600;

const signal = z
  .strictObject({
    signal: z.enum(SIGNALS).meta({ description: 'What is measured.' }),
    target: z
      .union([z.number().gt(0).max(1e15), durationText])
      .optional()
      .meta({
        description:
          'For each instance: requests at once, requests per second, a share of what is reserved (cpu, memory, gpu), tokens, or the value of the query. latency (95 % of requests) and queueWait: a duration.',
      }),
    weight: z.number().gt(0).max(1000).optional().meta({
      description: 'Its part of the weighted mean. Absent: it is enough by itself.',
    }),
    query: z
      .string()
      .min(1)
      .max(4096)
      .optional()
      .meta({ description: 'prometheus: an expression with one value.' }),
    measure: measureName
      .optional()
      .meta({ description: 'custom: the name of a measure that is posted.' }),
    type: z.enum(['AverageValue', 'Value']).optional().meta({
      description:
        'prometheus, custom: AverageValue (the default): the value is for all instances together; Value: it is the same for however many.',
    }),
  })
  .superRefine(...rule(checkSignal));

export const signals = z.array(signal).max(MOST_SIGNALS).default([]);

const seconds = z.int().min(0).max(LONGEST_SECONDS);

const ratePolicy = z.strictObject({
  type: z.enum(['Pods', 'Percent']).meta({ description: 'Instances, or per cent of them.' }),
  value: z.int().min(1).max(1_000_000),
  periodSeconds: z.int().min(1).max(1800).meta({ description: 'So much within so many seconds.' }),
});

function rulesOf(stabilizationWindowSeconds: number) {
  return z
    .strictObject({
      stabilizationWindowSeconds: seconds.default(stabilizationWindowSeconds).meta({
        description: 'Up: the least, down: the most that was wanted for so long counts.',
      }),
      policies: z
        .array(ratePolicy)
        .max(8)
        .default([])
        .meta({ description: 'How fast; none: as fast as it is wanted.' }),
      selectPolicy: z
        .enum(['Max', 'Min', 'Disabled'])
        .default('Max')
        .meta({ description: 'The fastest of them, the slowest, or never in this direction.' }),
      tolerance: z
        .number()
        .min(0)
        .max(1)
        .default(0.1)
        .meta({ description: 'A smaller share of the number is no reason to change it.' }),
    })
    .prefault({});
}

/** The words of `behavior` of a HorizontalPodAutoscaler. */
export const behavior = z
  .strictObject({
    scaleUp: rulesOf(0).meta({ description: 'Up.' }),
    scaleDown: rulesOf(30).meta({ description: 'Down.' }),
  })
  .prefault({});

export const shareFields = {
  weight: z
    .number()
    .gt(0)
    .max(1000)
    .default(1)
    .meta({ description: 'Share of memory when there is not enough for all, against others.' }),
  priority: z
    .int()
    .min(-1000)
    .max(1000)
    .default(0)
    .meta({ description: 'Those of a higher one have what they need before others have a share.' }),
};

export type SignalInput = z.output<typeof signal>;
