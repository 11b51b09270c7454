import { z } from 'zod';
import { revisionName } from './names.ts';

/**
 * The key `shadow` of the model file: a revision that gets copies of requests, and whose answers are compared and thrown
 * away.
 */

/** What names an answer rather than is it, in the Open Inference Protocol and in OpenAI's API. */
const NAMES_OF_ANSWERS = ['model_version', 'id', 'created'];

/** When two answers say the same. */
export const answerRules = {
  tolerance: z.number().min(0).max(1).default(0).meta({
    description:
      'By so much numbers in JSON may differ: of 1, or of the larger one if that is more.',
  }),
  ignore: z
    .array(z.string().min(1).max(128))
    .max(32)
    .default(NAMES_OF_ANSWERS)
    .meta({ description: 'Keys in JSON that are not compared, at any depth.' }),
};

export const shadow = z.strictObject({
  revision: revisionName.meta({
    description:
      'Gets the copies. While it has a share of traffic, or is not ready, there are none.',
  }),
  percent: z.int().min(1).max(100).default(100).meta({ description: 'Of the requests.' }),
  wake: z.boolean().default(false).meta({
    description:
      'Whether copies start an instance when there is none; else there are none meanwhile.',
  }),
  ...answerRules,
});
export type ShadowSpec = z.output<typeof shadow>;
