import { z } from 'zod';
import { keepAlive } from './keep-alive.ts';
import {
  checkBounds,
  checkProgram,
  checkReadiness,
  checkSpec,
  checkSplit,
  checkTarget,
  rule,
} from './model-rules.ts';
import { DEFAULT_NAMESPACE, modelName, namespaceName, revisionName, tagName } from './names.ts';
import { rollout } from './rollout.ts';
import { behavior, shareFields, signals } from './scaling-signals.ts';
import { retention } from './retention.ts';
import { shadow } from './shadow.ts';
import { selection } from './selection.ts';
import { cpu, duration, size } from './units.ts';

/**
 * The model file: the source of truth for its schema, JSON Schema and OpenAPI.
 * `z.input` is what people write, `z.output` what the code works with (milliseconds, bytes, defaults filled in).
 */

export const RUNTIMES = ['onnx', 'function', 'python', 'command', 'image', 'url'] as const;
export type RuntimeName = (typeof RUNTIMES)[number];

const envName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'a name such as LOG_LEVEL');
const secretRef = z.strictObject(
  { secret: modelName.meta({ description: 'The name of a secret.' }) },
  { error: '{ secret: NAME }' },
);

const resources = z.strictObject({
  memory: size.optional().meta({ description: 'Reserved for each instance, such as 256Mi.' }),
  cpu: cpu.optional().meta({ description: 'Cores reserved for each instance, such as 500m.' }),
  gpu: z.int().min(0).max(64).default(0).meta({ description: 'GPUs for each instance.' }),
  limits: z.strictObject({ memory: size.optional(), cpu: cpu.optional() }).optional().meta({
    description:
      'What an instance may not pass: memory is enforced, cpu not yet by the local runtime.',
  }),
});

const readiness = z
  .strictObject({
    path: z
      .string()
      .max(1024)
      .regex(/^\/[\x21-\x7e]*$/, 'a path such as /healthz')
      .optional()
      .meta({ description: 'Answers with a status of 200 to 299 when requests can be taken.' }),
    grpc: z.boolean().optional().meta({
      description: 'It speaks gRPC only, and is asked by grpc.health.v1, if it has that.',
    }),
    timeout: duration
      .prefault('60s')
      .meta({ description: 'How long an instance may take until it is ready.' }),
  })
  .superRefine(...rule(checkReadiness));

const timeouts = z.strictObject({
  hold: duration.prefault('60s').meta({ description: 'How long a request waits for an instance.' }),
  run: duration.prefault('300s').meta({ description: "Until the response's head." }),
  idle: duration.prefault('0s').meta({ description: 'Between bytes of the response; 0s = off.' }),
  total: duration.optional().meta({ description: 'From arrival to the last byte.' }),
  drain: duration.prefault('30s').meta({ description: 'What runs may finish within this.' }),
});

/** Of a revision, and in part of a program that is run to its end. */
export const revisionFields = {
  runtime: z.enum(RUNTIMES).meta({ description: 'What runs the model.' }),
  source: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .meta({ description: 'A file, folder, URI or sha256: digest; stored by content.' }),
  args: z
    .array(z.string().max(32_768))
    .max(256)
    .default([])
    .meta({ description: 'command: the program and its arguments, with ${PORT}.' }),
  env: z
    .record(envName, z.union([z.string().max(32_768), secretRef]))
    .default({})
    .meta({ description: 'Environment variables: a text, or { secret: NAME }.' }),
  concurrency: z
    .int()
    .min(0)
    .max(100_000)
    .default(8)
    .meta({ description: 'Requests that an instance takes at once; 0 = no limit.' }),
  resources: resources.prefault({}).meta({ description: 'Reservation, for placement.' }),
  readiness: readiness.prefault({}).meta({ description: 'How an instance says it is ready.' }),
  timeouts: timeouts.prefault({}).meta({ description: 'How long each part may take.' }),
  retry: z
    .enum(['never', 'safe'])
    .default('never')
    .meta({ description: 'May a request be sent again after bytes of it were sent?' }),
  autoscaler: z.enum(['kpa', 'hpa']).optional().meta({
    description:
      'On Knative, whose number of pods is followed: its own autoscaler (kpa, the default), or a HorizontalPodAutoscaler (hpa), which keeps one at least.',
  }),
};

export const revisionSpec = z
  .strictObject({ name: revisionName.optional(), ...revisionFields })
  .superRefine(...rule(checkProgram));

const headerName = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'a header name');

const headerMatch = z.strictObject({
  header: headerName.meta({ description: 'The name of a header of the request.' }),
  values: z
    .array(
      z
        .string()
        .max(256)
        .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, 'the value of a header, in ASCII'),
    )
    .min(1)
    .max(64)
    .meta({ description: 'Any of these, exactly.' }),
});
export type HeaderMatch = z.output<typeof headerMatch>;

/** One row of a traffic split. Exactly one of `revision` and `latest`. */
export const trafficTarget = z
  .strictObject({
    revision: revisionName.optional(),
    latest: z.literal(true).optional().meta({ description: 'The newest ready revision.' }),
    percent: z.int().min(0).max(100).default(0).meta({ description: 'All rows sum to 100.' }),
    match: headerMatch.optional().meta({
      description: 'Requests with this header go to it, before the others are split.',
    }),
    tag: tagName.optional().meta({ description: 'Gives the revision an address of its own.' }),
  })
  .superRefine(...rule(checkTarget));

export const traffic = z
  .array(trafficTarget)
  .min(1)
  .max(32)
  .superRefine(...rule(checkSplit));

const sticky = z
  .strictObject({
    header: headerName.optional(),
    cookie: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'a cookie name')
      .optional(),
  })
  .refine((value) => (value.header === undefined) !== (value.cookie === undefined), {
    message: 'exactly one of header and cookie',
  });

const scaling = z
  .strictObject({
    min: z.int().min(0).max(1000).default(0).meta({ description: 'Instances kept at all times.' }),
    max: z.int().min(1).max(1000).default(4).meta({ description: 'Most instances.' }),
    initial: z
      .int()
      .min(0)
      .max(1000)
      .default(1)
      .meta({ description: 'Instances that must become ready once before traffic; 0 = no proof.' }),
    target: z
      .number()
      .gt(0)
      .max(1)
      .default(0.7)
      .meta({ description: "Share of an instance's concurrency that is aimed at." }),
    signals: signals.meta({
      description: 'What says how many are needed; none: requests at once, as Knative counts them.',
    }),
    behavior: behavior.meta({ description: 'How fast signals change the number.' }),
    dryRun: z.boolean().default(false).meta({ description: 'Signals are told, and do not steer.' }),
    ...shareFields,
  })
  .superRefine(...rule(checkBounds));

const queue = z.strictObject({
  requests: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .meta({ description: 'Requests that may wait; each worker has its share.' }),
  bytes: size
    .prefault('64Mi')
    .meta({ description: 'Bytes that they may hold; each worker has its share.' }),
});

export const modelSpec = z
  .strictObject({
    revision: revisionSpec
      .optional()
      .meta({ description: 'How to run it. A change here makes a new revision.' }),
    revisions: z
      .array(revisionSpec)
      .min(1)
      .max(64)
      .optional()
      .meta({ description: 'Several revisions at once, each with a name.' }),
    traffic: traffic
      .optional()
      .meta({ description: 'Split over revisions. Absent: all to the latest ready one.' }),
    sticky: sticky
      .optional()
      .meta({ description: 'Keeps a caller on one revision, by a header or a cookie.' }),
    shadow: shadow.optional().meta({
      description: 'Gets copies of requests. Answers are compared, counted and thrown away.',
    }),
    scaling: scaling.prefault({}).meta({ description: 'How many instances there may be.' }),
    keepAlive: keepAlive
      .prefault({ policy: 'adaptive' })
      .meta({ description: 'How long an idle instance is kept.' }),
    rollout: rollout
      .optional()
      .meta({ description: 'How a new revision takes over. Absent: at once, when it is ready.' }),
    queue: queue.prefault({}).meta({ description: 'What may wait for an instance.' }),
    retention: retention.optional().meta({ description: 'What goes when nobody asks for it.' }),
    selection: selection.optional().meta({
      description: 'Which revision serves, by what is measured. Absent: as traffic says.',
    }),
  })
  .superRefine(...rule(checkSpec));

const annotations = z.record(z.string().max(253), z.string().max(4096));

export const modelDocument = z
  .strictObject({
    apiVersion: z.literal('rouse.dev/v1alpha1'),
    kind: z.literal('Model'),
    metadata: z.strictObject({
      name: modelName,
      namespace: namespaceName.default(DEFAULT_NAMESPACE),
      labels: annotations.optional(),
      annotations: annotations.optional(),
    }),
    spec: modelSpec,
  })
  .meta({ title: 'Model', description: 'A named endpoint: its revisions, traffic and policies.' });

/** As people write it and the store keeps it. */
export type ModelInput = z.input<typeof modelDocument>;
/** As the code works with it. */
export type ModelDocument = z.output<typeof modelDocument>;
export type ModelSpec = z.output<typeof modelSpec>;
export type RevisionSpecInput = z.input<typeof revisionSpec>;
export type RevisionSpec = z.output<typeof revisionSpec>;
export type TrafficTarget = z.output<typeof trafficTarget>;
export type ScalingSpec = z.output<typeof scaling>;
export type QueueSpec = z.output<typeof queue>;
export type Timeouts = z.output<typeof timeouts>;
