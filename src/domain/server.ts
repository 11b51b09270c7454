import { z } from 'zod';
import { address, type HostPort } from './address.ts';
import { namespaceBudget } from './budgets.ts';
import { serverRetention } from './retention.ts';
import { duration, period, size } from './units.ts';

/** The server document (`rouse.yaml`), and how else each of its fields can be said. */

/** Relative to where the server was started. */
export const DEFAULT_DATA = './.rouse';
export const DEFAULT_LISTEN = '127.0.0.1:8080';

const hostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'a host name in lower case, such as localhost');
const allowedHost = z
  .string()
  .regex(/^[a-z0-9.-]+(:[0-9]{1,5})?$/, 'a host name in lower case, with or without a port');

const file = z.string().min(1).max(4096);
/** As many as one name each for a large installation; each is read, and kept in memory. */
const files = z
  .union([file, z.array(file).min(1).max(256)])
  .transform((value) => (typeof value === 'string' ? [value] : value));
const networkFormats = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);
const network = z
  .string()
  .max(64)
  .refine(
    (text) => networkFormats.safeParse(text).success,
    'an address or a network, such as 10.0.0.0/8 or fd00::/8',
  );

/** Less than the smallest model needs: most likely another unit was meant. */
const MIN_MEMORY = 64 * 2 ** 20;
/** Of the machine's memory, for all instances together: the rest is for the system and for us. */
export const DEFAULT_MEMORY_SHARE = 0.6;
const memory = size.refine(
  (bytes) => bytes >= MIN_MEMORY,
  'at least 64Mi, with its unit, such as 2Gi: plain numbers are bytes',
);

const tls = z.strictObject({
  certificate: files.optional().meta({
    description: 'PEM files of certificate chains; the first serves names that none is for.',
  }),
  key: files.optional().meta({ description: 'PEM files of their keys, in the same order.' }),
});

const limits = z.strictObject({
  headerBytes: size
    .refine((bytes) => bytes >= 1024, 'at least 1Ki: no smaller head is of use')
    .prefault('64Ki')
    .meta({ description: 'Head of a request.' }),
  bodyBytes: size.prefault('1Gi').meta({ description: 'Body of a request.' }),
  heldBytes: size.prefault('256Mi').meta({
    description:
      'Bodies held while requests wait, large heads, and what is sent ahead, in all; each worker has its share.',
  }),
  connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .meta({ description: 'Open connections to the data plane; each worker has its share.' }),
});

const batch = z.strictObject({
  folder: z
    .string()
    .max(4096)
    .regex(/^\/.*[^/]$/, 'an absolute path of a folder')
    .optional()
    .meta({
      description: 'Folder of the files that batch jobs read and write; without it there are none.',
    }),
  claim: z
    .string()
    .regex(/^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253}$/, 'namespace/name of a PersistentVolumeClaim')
    .optional()
    .meta({
      description:
        'PersistentVolumeClaim with that folder: jobs with shards run as pods that mount it.',
    }),
  requests: z
    .url({ protocol: /^http$/, error: 'an http:// address' })
    .optional()
    .meta({ description: "The data plane's address as these pods reach it." }),
});

const knative = z.strictObject({
  image: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .meta({ description: 'Image of the model servers for onnx, function and python.' }),
  control: z
    .url({ protocol: /^https?$/, error: 'an http:// or https:// address' })
    .optional()
    .meta({ description: "Control's address as pods reach it: they fetch their models there." }),
  metrics: address.optional().meta({
    description: "Where the cluster's API server gets metrics for HorizontalPodAutoscalers.",
  }),
  models: z
    .boolean()
    .default(false)
    .meta({ description: 'Model objects of the cluster are followed, where it has that kind.' }),
  batch: batch.prefault({}).meta({ description: 'Of batch jobs.' }),
});

const prometheus = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'an http:// or https:// address' })
    .optional()
    .meta({
      description: 'A Prometheus that signals of models may ask, such as http://127.0.0.1:9090.',
    }),
});

const requests = z.strictObject({
  anonymous: z.boolean().optional().meta({
    description:
      'Asynchronous requests need no key; by default where only this machine reaches the data plane.',
  }),
  most: z.int().min(1).max(10_000_000).default(100_000).meta({
    description: 'Asynchronous requests that are kept, with those that have ended.',
  }),
  bytes: size.prefault('1Gi').meta({ description: 'Of their bodies and answers.' }),
  keep: period.prefault('1d').meta({ description: 'How long an answer is kept.' }),
  deadline: period
    .prefault('1d')
    .meta({ description: 'A request begins within that, or expires.' }),
});

const webhooks = z.strictObject({
  allow: z.array(network).max(256).default([]).meta({
    description: 'Networks that webhooks may go to though they are private, also without TLS.',
  }),
});

const serverSpec = z.strictObject({
  listen: address.prefault(DEFAULT_LISTEN).meta({ description: 'Requests to models.' }),
  control: address.prefault('127.0.0.1:8081').meta({ description: 'API and metrics.' }),
  controlHosts: z
    .array(allowedHost)
    .max(64)
    .default([])
    .meta({ description: 'Names under which control is reached, besides loopback.' }),
  requireKey: z.boolean().default(false).meta({ description: 'Ask for a key on loopback, too.' }),
  firstKey: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .meta({ description: 'File that gets an admin key when there is none yet.' }),
  data: z
    .string()
    .min(1)
    .max(4096)
    .default(DEFAULT_DATA)
    .meta({ description: 'Folder of all state.' }),
  memory: memory.optional().meta({ description: 'Budget for all instances.' }),
  pool: z.int().min(0).max(16).default(1).meta({
    description: 'Processes that stand by for each kind of model server in use; 0 = none.',
  }),
  runtime: z.enum(['local', 'knative']).default('local').meta({
    description: 'What instances are: processes of this machine, or pods of Knative Services.',
  }),
  knative: knative.prefault({}).meta({ description: 'Of the runtime knative.' }),
  budgets: z.array(namespaceBudget).max(256).default([]).meta({
    description:
      'What namespaces may use before their models share it: memory (team-a=4Gi) or instances (team-b=12).',
  }),
  prometheus: prometheus.prefault({}).meta({ description: 'Where signals are asked for.' }),
  workers: z.int().min(0).max(256).default(0).meta({
    description: 'Data-plane processes that share the port; 0 = all in one process.',
  }),
  domain: hostName.default('localhost').meta({ description: "Behind models' host names." }),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .meta({ description: 'How much is logged.' }),
  drain: duration.prefault('30s').meta({ description: 'What runs may finish when Rouse ends.' }),
  tls: tls.prefault({}).meta({ description: 'The data plane speaks TLS, with these.' }),
  trustedProxies: z
    .array(network)
    .max(256)
    .default([])
    .meta({ description: 'Proxies that are believed what they say of who asks.' }),
  proxyProtocol: z
    .boolean()
    .default(false)
    .meta({ description: 'Connections begin with PROXY protocol v2, from trusted proxies only.' }),
  requests: requests.prefault({}).meta({ description: 'Requests whose callers do not wait.' }),
  webhooks: webhooks.prefault({}).meta({ description: 'Who is told of their ends.' }),
  limits: limits.prefault({}).meta({ description: 'Bounds of the data plane.' }),
  retention: serverRetention
    .prefault({})
    .meta({ description: 'What goes when nobody asks for it, unless its model says otherwise.' }),
});

export const serverDocument = z
  .strictObject({
    apiVersion: z.literal('rouse.dev/v1alpha1'),
    kind: z.literal('Server'),
    spec: serverSpec.prefault({}),
  })
  .meta({ title: 'Server', description: 'How one Rouse server runs.' });

export type ServerSpec = z.output<typeof serverSpec>;

export interface CertificateFiles {
  /** PEM: the certificate, then what leads to its root. */
  readonly certificate: string;
  readonly key: string;
}

/** Where pods get their servers and their models from. */
export interface KnativeSettings {
  readonly image: string;
  /** Control's address, as pods reach it. */
  readonly control: string;
  /** Where the API server gets metrics; undefined: nowhere. */
  readonly metrics: HostPort | undefined;
  /** Models come from objects of the cluster, too. */
  readonly models: boolean;
  /** Undefined: there are no batch jobs. */
  readonly batch: KnativeBatch | undefined;
}

export interface KnativeBatch {
  /** Jobs read and write in there only. */
  readonly folder: string;
  /** Undefined: a job is one process, beside control. */
  readonly shards: ShardSettings | undefined;
}

/** Where the pods of jobs get their files, and send their requests. */
export interface ShardSettings {
  readonly claim: { readonly namespace: string; readonly name: string };
  readonly requests: string;
}

export type ServerSettings = Omit<ServerSpec, 'memory' | 'tls' | 'runtime' | 'knative'> & {
  readonly memory: number;
  /** Undefined: instances are processes of this machine. */
  readonly knative: KnativeSettings | undefined;
  /** None: the data plane speaks plain HTTP. */
  readonly tls: readonly CertificateFiles[];
};

type Kind = 'text' | 'number' | 'boolean' | 'list' | 'budgets';
/** Whether a data plane of its own has the setting, too, or only the platform as a whole. */
type Scope = 'data plane' | 'platform';

/** A field of the spec, and how it is said elsewhere. */
export interface ServerField {
  readonly path: string;
  readonly scope: Scope;
  readonly flag: string;
  readonly env: string;
  readonly kind: Kind;
  readonly description: string;
  /** As a flag would say it; '': nothing. */
  readonly byDefault: string;
}

const MEMORY_BY_DEFAULT = `${DEFAULT_MEMORY_SHARE * 100} % of the machine's`;

export const SERVER_FIELDS: readonly ServerField[] = [
  field('listen', 'data plane', 'text', serverSpec.shape.listen),
  field('control', 'platform', 'text', serverSpec.shape.control),
  field('controlHosts', 'platform', 'list', serverSpec.shape.controlHosts),
  field('requireKey', 'platform', 'boolean', serverSpec.shape.requireKey),
  field('firstKey', 'platform', 'text', serverSpec.shape.firstKey),
  field('data', 'platform', 'text', serverSpec.shape.data),
  field('memory', 'platform', 'text', serverSpec.shape.memory),
  field('pool', 'platform', 'number', serverSpec.shape.pool),
  field('runtime', 'platform', 'text', serverSpec.shape.runtime),
  field('knative.image', 'platform', 'text', knative.shape.image),
  field('knative.control', 'platform', 'text', knative.shape.control),
  field('knative.metrics', 'platform', 'text', knative.shape.metrics),
  field('knative.models', 'platform', 'boolean', knative.shape.models),
  field('knative.batch.folder', 'platform', 'text', batch.shape.folder),
  field('knative.batch.claim', 'platform', 'text', batch.shape.claim),
  field('knative.batch.requests', 'platform', 'text', batch.shape.requests),
  field('budgets', 'platform', 'budgets', serverSpec.shape.budgets),
  field('prometheus.url', 'platform', 'text', prometheus.shape.url),
  field('workers', 'platform', 'number', serverSpec.shape.workers),
  field('domain', 'data plane', 'text', serverSpec.shape.domain),
  field('logLevel', 'data plane', 'text', serverSpec.shape.logLevel),
  field('drain', 'data plane', 'text', serverSpec.shape.drain),
  field('tls.certificate', 'data plane', 'list', tls.shape.certificate),
  field('tls.key', 'data plane', 'list', tls.shape.key),
  field('trustedProxies', 'data plane', 'list', serverSpec.shape.trustedProxies),
  field('proxyProtocol', 'data plane', 'boolean', serverSpec.shape.proxyProtocol),
  field('requests.anonymous', 'platform', 'boolean', requests.shape.anonymous),
  field('requests.most', 'platform', 'number', requests.shape.most),
  field('requests.bytes', 'platform', 'text', requests.shape.bytes),
  field('requests.keep', 'platform', 'text', requests.shape.keep),
  field('requests.deadline', 'platform', 'text', requests.shape.deadline),
  field('webhooks.allow', 'platform', 'list', webhooks.shape.allow),
  field('limits.headerBytes', 'data plane', 'text', limits.shape.headerBytes),
  field('limits.bodyBytes', 'data plane', 'text', limits.shape.bodyBytes),
  field('limits.heldBytes', 'data plane', 'text', limits.shape.heldBytes),
  field('limits.connections', 'data plane', 'number', limits.shape.connections),
  field('retention.models.unusedFor', 'platform', 'text', innerOf('models').unusedFor),
  field('retention.revisions.keep', 'platform', 'number', innerOf('revisions').keep),
  field('retention.revisions.unusedFor', 'platform', 'text', innerOf('revisions').unusedFor),
  field('retention.jobs.unusedFor', 'platform', 'text', innerOf('jobs').unusedFor),
  field('retention.artifacts.unusedFor', 'platform', 'text', innerOf('artifacts').unusedFor),
  field('retention.undo', 'platform', 'text', serverRetention.shape.undo),
];

type Retention = typeof serverRetention.shape;

/** The fields under a key of `retention`. */
function innerOf<K extends 'models' | 'revisions' | 'jobs' | 'artifacts'>(
  key: K,
): Retention[K]['def']['innerType']['shape'] {
  return serverRetention.shape[key].def.innerType.shape;
}

function field(path: string, scope: Scope, kind: Kind, schema: z.ZodType): ServerField {
  const words = path.replace(/[A-Z]/g, (letter) => `.${letter}`).split('.');
  return {
    path,
    scope,
    kind,
    description: schema.description ?? '',
    byDefault: path === 'memory' ? MEMORY_BY_DEFAULT : defaultOf(schema),
    flag: `--${words.join('-').toLowerCase()}`,
    env: `ROUSE_${words.join('_').toUpperCase()}`,
  };
}

function defaultOf(schema: z.ZodType): string {
  if (!(schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)) return '';
  const { defaultValue } = schema.def;
  return defaultValue === false ? '' : String(defaultValue);
}
