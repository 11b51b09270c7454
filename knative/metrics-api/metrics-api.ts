import type { HostPort } from '#domain/address.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Kube } from '../api/kube.ts';
import type { KubeObject } from '../api/objects.ts';
import { CONFIG_MAPS, type Resource } from '../api/resources.ts';
import { answerMetrics } from './answers.ts';
import { makeCertificate } from './certificate.ts';
import { AUTHENTICATION, readFrontProxy } from './front-proxy.ts';
import {
  bundleOf,
  type Certificates,
  type Dated,
  decideCertificates,
  LIFETIME_MS,
} from './rotation.ts';
import { listenForMetrics } from './server.ts';
import type { MetricSource } from './values.ts';

/**
 * The metrics that HorizontalPodAutoscalers follow, as an aggregated API of the cluster. An APIService says where it is
 * reached; it is the install's, but for the certificate that the API server shall trust, which is set here. Looked at
 * again and again: it may be installed, taken away and made anew at any time.
 */
export interface MetricsApi {
  readonly address: HostPort;
  close(): Promise<void>;
}

interface ApiService extends KubeObject {
  readonly spec?: {
    readonly caBundle?: string;
    readonly service?: { readonly name?: string; readonly namespace?: string };
  };
}

const API_SERVICES: Resource<ApiService> = {
  root: '/apis/apiregistration.k8s.io/v1',
  plural: 'apiservices',
};
const OURS = { name: 'v1beta2.custom.metrics.k8s.io' };
/** As the install labels it: others may serve this API for metrics of their own. */
const LABEL = { key: 'app.kubernetes.io/name', value: 'rouse' };
const LOOK_MS = 15_000;
/** Clocks of nodes differ. */
const BEFORE_MS = 3_600_000;

/** Throws Fault `unavailable` when it cannot listen. */
export async function createMetricsApi(options: {
  kube: Pick<Kube, 'get' | 'merge'>;
  source: MetricSource;
  address: HostPort;
  clock: Clock;
  log: Log;
}): Promise<MetricsApi> {
  const { kube, source, clock, log } = options;
  const server = await listenForMetrics(options.address, (request) =>
    answerMetrics(request, source, clock.now()),
  );
  let held: Certificates | undefined;
  let trouble: string | undefined;
  const loop = createLoop({ clock, everyMs: LOOK_MS, step, onError });
  loop.ask();

  async function step(): Promise<void> {
    const service = requireOurs(await kube.get(API_SERVICES, OURS));
    const proxy = readFrontProxy(await kube.get(CONFIG_MAPS, AUTHENTICATION));
    const bundle = Buffer.from(service.spec?.caBundle ?? '', 'base64').toString();
    const seen = { name: hostOf(service), bundle, now: clock.now() };
    held = decideCertificates(held, seen, () => makeDated(seen.name, seen.now));
    server.use(held.serving, proxy);
    const wanted = bundleOf(held);
    if (wanted !== bundle) {
      const { resourceVersion } = service.metadata;
      const caBundle = Buffer.from(wanted).toString('base64');
      await kube.merge(API_SERVICES, OURS, { metadata: { resourceVersion }, spec: { caBundle } });
    }
    if (trouble !== '') log.info({}, 'the API server of the cluster is given metrics');
    trouble = '';
  }

  /** It is tried again and again, perhaps for as long as the cluster lives. */
  function onError(error: unknown): void {
    const message = messageOf(error);
    if (message !== trouble) log.warn({ err: message }, 'metrics are not to be had in the cluster');
    trouble = message;
  }

  return {
    address: server.address,
    async close() {
      await loop.close();
      await server.close();
    },
  };
}

function requireOurs(service: ApiService | undefined): ApiService {
  const { name } = OURS;
  if (!service) {
    throw new Fault('unavailable', `the cluster has no APIService ${name}: expected the install's`);
  }
  if (service.metadata.labels?.[LABEL.key] === LABEL.value) return service;
  throw new Fault(
    'conflict',
    `APIService ${name} is not Rouse's, and is not touched: expected one with the label ${LABEL.key}=${LABEL.value}`,
  );
}

/** By this name the API server knows whom it has reached. */
function hostOf({ spec }: ApiService): string {
  const { name = '', namespace = '' } = spec?.service ?? {};
  return `${name}.${namespace}.svc`;
}

function makeDated(name: string, now: number): Dated {
  const times = { from: now - BEFORE_MS, until: now + LIFETIME_MS };
  return { ...makeCertificate({ names: [name], ...times }), name, madeAt: now };
}
