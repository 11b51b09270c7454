import { z } from 'zod';
import { scores } from './measures.ts';
import { revisionFields } from './model.ts';
import { rule } from './model-rules.ts';
import { modelName, revisionName } from './names.ts';
import { artifactRef } from './records.ts';
import { duration } from './units.ts';

/**
 * A program that is run to its end, once if all goes well. What it writes may become the next revision of a model, which
 * the model's selection judges.
 */

/** More failures than that are no accident. */
const MOST_RETRIES = 100;

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const PATH_OR_DIGEST = /^(\/|sha256:[0-9a-f]{64}$)/;

export const programSpec = z
  .strictObject({
    kind: z.literal('program'),
    runtime: z.enum(['command', 'image']).default('command'),
    source: revisionFields.source.meta({
      description: 'Its code: the sha256: digest of what was pushed; runtime image: the image.',
    }),
    args: revisionFields.args.meta({
      description: 'The program and its arguments, with ${SOURCE}.',
    }),
    env: revisionFields.env,
    resources: z
      .strictObject({ limits: revisionFields.resources.unwrap().shape.limits })
      .prefault({})
      .meta({ description: 'limits.memory is enforced.' }),
    data: z
      .string()
      .max(4096)
      .regex(PATH_OR_DIGEST, 'an absolute path, or the sha256: digest of what was pushed')
      .optional()
      .meta({
        description:
          'A file or folder, as the server sees it, kept as it is when the program begins; or what was pushed. Its path is in ROUSE_DATA.',
      }),
    model: modelName.optional().meta({
      description: 'What it leaves in ROUSE_OUTPUT is the next revision of it. Absent: of none.',
    }),
    parent: revisionName.optional().meta({
      description:
        'That the next one is made from: all but its source. Absent: the one with most of the traffic.',
    }),
    retries: z.int().min(0).max(MOST_RETRIES).default(0).meta({
      description: 'How often it is begun again when it fails. It is when it was cut off, too.',
    }),
    deadline: duration.optional().meta({ description: 'It is ended when it has taken longer.' }),
  })
  .superRefine(...rule(checkProgram));
export type ProgramRequest = z.input<typeof programSpec>;
export type ProgramSpec = z.output<typeof programSpec>;

/** `metrics.json` beside the artifact, in the folder that is named by ROUSE_OUTPUT. */
export const programMetrics = z.strictObject({
  metrics: scores.default({}).meta({ description: 'Of what it has made.' }),
  parent: scores.default({}).meta({ description: 'The same of its parent, by the same data.' }),
});
export type ProgramMetrics = z.output<typeof programMetrics>;

const count = z.int().nonnegative();

export const programReport = z.strictObject({
  seconds: z.number().meta({ description: 'Of the attempt that succeeded.' }),
  cpuSeconds: z.number().optional().meta({ description: 'Absent: of a pod, nobody knows.' }),
  memoryBytes: z.number().optional().meta({ description: 'The most that was seen.' }),
  data: artifactRef.optional(),
  artifact: artifactRef.optional().meta({ description: 'What it left.' }),
  revision: revisionName.optional().meta({ description: 'That it has made, or that is the same.' }),
  isNew: z.boolean().meta({ description: 'There was none with the same content.' }),
  ...programMetrics.shape,
});
export type ProgramReport = z.output<typeof programReport>;

/** What the record of a program has beside what all jobs have. */
export const programFields = {
  spec: z.custom<ProgramRequest>((value) => programSpec.safeParse(value).success),
  parent: revisionName.optional(),
  attempts: count.meta({ description: 'How often it was begun.' }),
  failures: count.meta({ description: 'Of these, how often it has failed by itself.' }),
  report: programReport.optional(),
};

type Loose<K extends string> = { readonly [P in K]?: unknown };
type Say = (path: (string | number)[], expected: string) => void;

function checkProgram(
  {
    runtime,
    source,
    args,
    model,
    parent,
  }: Loose<'runtime' | 'source' | 'args' | 'model' | 'parent'>,
  say: Say,
): void {
  const isImage = runtime === 'image';
  if (isImage && source === undefined) say(['source'], 'the address of an image');
  if (!isImage && typeof source === 'string' && !DIGEST.test(source)) {
    say(['source'], 'the sha256: digest of what was pushed; the command line uploads a path');
  }
  if (!isImage && (!Array.isArray(args) || args.length === 0)) {
    say(['args'], 'the program and its arguments, such as ["node", "${SOURCE}/train.js"]');
  }
  if (parent !== undefined && model === undefined) say(['parent'], 'no parent without a model');
}
