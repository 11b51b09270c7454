import type {
  EndpointSlice,
  Ingress,
  IngressSpec,
  Secret,
  Service,
} from '#knative/ingress/objects.ts';
import { CORE_SERVICES, ENDPOINT_SLICES, INGRESSES, SECRETS } from '#knative/ingress/objects.ts';
import { createConnection } from '#knative/api/client.ts';
import { createKube } from '#knative/api/kube.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createIngressServer, type IngressServer } from '#serve/ingress/ingress.ts';
import { until } from '#test/until.ts';
import { type ApiServer, startApiServer } from '../api-server.ts';

/** A cluster of objects, and gateways of it that are as real as they can be in one process. */
export interface World {
  readonly api: ApiServer;
  /** One more gateway; it is told to the others as an endpoint. */
  startGateway(identity: string): Promise<IngressServer>;
  putIngress(name: string, spec: IngressSpec, more?: Partial<Ingress['metadata']>): void;
  /** It ends in good order, and is no endpoint any more. */
  stopGateway(gateway: IngressServer): Promise<void>;
  /** A Service `name` with port 80 and these endpoints, at 127.0.0.1. */
  putService(name: string, ports: readonly number[], portName?: string): void;
  putSecret(name: string, certificate: string, key: string): void;
  /** The status of an Ingress, once its newest generation is ready. */
  untilReady(name: string): Promise<Ingress['status']>;
  /** What the conditions of an Ingress say, as soon as `Ready` says this. */
  untilSaid(name: string, pattern: RegExp): Promise<void>;
  getIngress(name: string): Ingress | undefined;
}

export const NAMESPACE = 'shop';
const SYSTEM = 'rouse-system';
const CLASS = 'rouse.ingress.networking.knative.dev';

export async function createWorld(teardown: (end: () => unknown) => void): Promise<World> {
  const api = await startApiServer();
  teardown(() => api.close());
  const gateways: IngressServer[] = [];

  const getIngress = (name: string): Ingress | undefined =>
    api.store.get(INGRESSES, NAMESPACE, name) as Ingress | undefined;
  const readyOf = (name: string) => {
    const { metadata, status } = getIngress(name) ?? {};
    const isNew = status?.observedGeneration === metadata?.generation;
    return isNew ? status?.conditions?.find(({ type }) => type === 'Ready') : undefined;
  };

  function putSlice(
    service: string,
    namespace: string,
    name: string,
    ports: readonly number[],
  ): void {
    for (const { metadata } of api.store.all(ENDPOINT_SLICES)) {
      const isOf = metadata.labels?.['kubernetes.io/service-name'] === service;
      const port = Number(metadata.name.split('-').at(-1));
      if (isOf && metadata.namespace === namespace && !ports.includes(port)) {
        api.store.delete(ENDPOINT_SLICES, namespace, metadata.name);
      }
    }
    for (const port of ports) {
      const slice: EndpointSlice = {
        metadata: {
          name: `${service}-${port}`,
          namespace,
          labels: { 'kubernetes.io/service-name': service },
        },
        addressType: 'IPv4',
        ports: [{ name, port }],
        endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
      };
      api.store.put(ENDPOINT_SLICES, slice);
    }
  }

  function tellGateways(): void {
    const of = (port: (gateway: IngressServer) => number): number[] => gateways.map(port);
    for (const [service, ports] of [
      ['rouse-ingress', of(({ activator }) => activator.port)],
      ['rouse-ingress-internal', of(({ activator }) => activator.morePorts[1] ?? 0)],
    ] as const) {
      const object: Service = {
        metadata: { name: service, namespace: SYSTEM },
        spec: { ports: [{ name: 'http', port: 80 }] },
      };
      api.store.put(CORE_SERVICES, object);
      putSlice(service, SYSTEM, 'http', ports);
    }
  }

  async function stopGateway(gateway: IngressServer): Promise<void> {
    const at = gateways.indexOf(gateway);
    if (at < 0) return;
    gateways.splice(at, 1);
    tellGateways();
    await gateway.close(0);
  }

  return {
    api,
    getIngress,
    stopGateway,
    async startGateway(identity) {
      const connection = await createConnection(api.kubeconfig);
      const own = { host: '127.0.0.1', port: 0 };
      const server = await createIngressServer({
        settings: {
          http: own,
          https: own,
          inside: own,
          admin: own,
          domain: 'cluster.local',
          namespace: SYSTEM,
          identity,
        },
        kube: createKube(connection, systemClock),
        version: '0.0.0',
        clock: systemClock,
        log: silentLog,
      });
      teardown(async () => {
        await stopGateway(server);
        connection.close();
      });
      await server.ready;
      gateways.push(server);
      tellGateways();
      return server;
    },
    putIngress(name, spec, more = {}) {
      const known = getIngress(name);
      const metadata = {
        ...known?.metadata,
        name,
        namespace: NAMESPACE,
        annotations: { 'networking.knative.dev/ingress.class': CLASS },
        ...more,
      };
      api.store.put(INGRESSES, { ...known, metadata, spec } as Ingress);
    },
    putService(name, ports, portName = 'http') {
      const object: Service = {
        metadata: { name, namespace: NAMESPACE },
        spec: { ports: [{ name: portName, port: 80 }] },
      };
      api.store.put(CORE_SERVICES, object);
      putSlice(name, NAMESPACE, portName, ports);
    },
    putSecret(name, certificate, key) {
      const data = {
        'tls.crt': Buffer.from(certificate).toString('base64'),
        'tls.key': Buffer.from(key).toString('base64'),
      };
      const secret = { metadata: { name, namespace: NAMESPACE }, type: 'kubernetes.io/tls', data };
      api.store.put(SECRETS, secret satisfies Secret & { type: string });
    },
    async untilReady(name) {
      await until(`${name} is ready`, () => readyOf(name)?.status === 'True');
      return getIngress(name)?.status;
    },
    async untilSaid(name, pattern) {
      await until(`${name} says ${pattern}`, () => {
        const { status, reason, message } = readyOf(name) ?? {};
        return pattern.test(`${status} ${reason} ${message}`);
      });
    },
  };
}

/** A rule that leads a host to one Service. */
export function makeRule(host: string, service: string, more: object = {}): IngressSpec {
  const splits = [
    { serviceName: service, serviceNamespace: NAMESPACE, servicePort: 80, percent: 100 },
  ];
  return {
    rules: [{ hosts: [host], visibility: 'ExternalIP', http: { paths: [{ splits, ...more }] } }],
  };
}
