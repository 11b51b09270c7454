import { z } from 'zod';
import { formatPeriod, period } from './units.ts';

/**
 * What goes by itself when nobody has used it for long. A model says it for itself, the Server document for all that do
 * not; what neither says is as `RETENTION_DEFAULTS`. `never` is `Infinity` inside.
 */

const NEVER = 'never';
const PERIOD_OR_NEVER = 'a period such as 30d, or never';
const periodOrNever = z
  .string({ error: PERIOD_OR_NEVER })
  .regex(/^(never|0|[0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d))$/, {
    error: PERIOD_OR_NEVER,
    abort: true,
  })
  .refine((text) => text === NEVER || period.safeParse(text).success, PERIOD_OR_NEVER)
  .transform((text) => (text === NEVER ? Infinity : period.parse(text)));

/** As many as a model may have revisions. */
const MOST_KEPT = 500;
const keep = z.int().min(0).max(MOST_KEPT);

const ABOUT = {
  models: 'A model goes when no request came for so long; never: it stays.',
  revisions: 'A revision that nothing leads to goes when no request came for so long.',
  keep: 'So many revisions stay besides, of those that served last.',
  jobs: 'A job that has ended goes after so long; its output stays, and so does a job that a run of a schedule or a revision is of. Of the others 1000 stay at most.',
  artifacts: 'Content goes when nothing refers to it and nobody has pushed it for so long.',
  undo: 'For so long what was deleted can be restored.',
  pinned: 'Neither the model nor a revision of it goes by itself.',
} as const;

/** `spec.retention` of a model. */
export const retention = z.strictObject({
  models: z
    .strictObject({ unusedFor: periodOrNever.optional().meta({ description: ABOUT.models }) })
    .optional(),
  revisions: z
    .strictObject({
      keep: keep.optional().meta({ description: ABOUT.keep }),
      unusedFor: periodOrNever.optional().meta({ description: ABOUT.revisions }),
    })
    .optional(),
  pinned: z.boolean().default(false).meta({ description: ABOUT.pinned }),
  undo: period.optional().meta({ description: ABOUT.undo }),
});
export type RetentionSpec = z.output<typeof retention>;

/** `spec.retention` of the Server document. */
export const serverRetention = z.strictObject({
  models: z
    .strictObject({
      unusedFor: periodOrNever.prefault(NEVER).meta({ description: ABOUT.models }),
    })
    .prefault({}),
  revisions: z
    .strictObject({
      keep: keep.default(10).meta({ description: ABOUT.keep }),
      unusedFor: periodOrNever.prefault('30d').meta({ description: ABOUT.revisions }),
    })
    .prefault({}),
  jobs: z
    .strictObject({
      unusedFor: periodOrNever.prefault('30d').meta({ description: ABOUT.jobs }),
    })
    .prefault({}),
  artifacts: z
    .strictObject({
      unusedFor: periodOrNever.prefault('24h').meta({ description: ABOUT.artifacts }),
    })
    .prefault({}),
  undo: period.prefault('7d').meta({ description: ABOUT.undo }),
});
export type RetentionDefaults = z.output<typeof serverRetention>;

export const RETENTION_DEFAULTS: RetentionDefaults = serverRetention.parse({});

/** What holds for one model; times in ms. */
export interface RetentionRules {
  readonly pinned: boolean;
  readonly modelUnusedFor: number;
  readonly revisionUnusedFor: number;
  readonly keep: number;
  readonly undo: number;
}

export function rulesOf(
  spec: RetentionSpec | undefined,
  defaults: RetentionDefaults,
): RetentionRules {
  return {
    pinned: spec?.pinned ?? false,
    modelUnusedFor: spec?.models?.unusedFor ?? defaults.models.unusedFor,
    revisionUnusedFor: spec?.revisions?.unusedFor ?? defaults.revisions.unusedFor,
    keep: spec?.revisions?.keep ?? defaults.revisions.keep,
    undo: spec?.undo ?? defaults.undo,
  };
}

export function formatUnusedFor(ms: number): string {
  return ms === Infinity ? NEVER : formatPeriod(ms);
}
