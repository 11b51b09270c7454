import { Fault } from '#lib/fault.ts';
import type { Endpoint, EndpointSlice, Service, ServicePort } from './objects.ts';
import type { BackendName } from './rules.ts';

/** Where a backend listens. */
export interface BackendAddress {
  readonly host: string;
  readonly port: number;
  readonly h2c: boolean;
}

/** How ports say that they want HTTP/2 without TLS. */
const H2C_NAME = 'http2';
const H2C_PROTOCOL = 'kubernetes.io/h2c';

/**
 * Where a backend can be reached now: endpoints that are ready or, when none is, those that still serve while they end.
 * Throws Fault `not_found` for a Service or a port that is not there.
 */
export function findAddresses(
  { service: name, port }: BackendName,
  service: Service | undefined,
  slices: Iterable<EndpointSlice>,
): BackendAddress[] {
  if (!service) throw new Fault('not_found', `Service ${name} does not exist`);
  const { type, externalName = '', ports = [] } = service.spec ?? {};
  const found = ports.find((each) => each.port === port || each.name === port);
  if (type === 'ExternalName') return [findExternal(externalName, port, found)];
  if (!found) throw new Fault('not_found', `Service ${name} has no port ${port}`);
  const h2c = isH2c(found);
  const all = [...slices].flatMap((slice) => endpointsOf(slice, found, h2c));
  const ready = all.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  const usable = ready.length > 0 ? ready : all.filter(isServing);
  return usable.map(({ address }) => address);
}

function findExternal(
  host: string,
  port: number | string,
  found: ServicePort | undefined,
): BackendAddress {
  const number = found?.port ?? port;
  if (typeof number === 'number') return { host, port: number, h2c: found ? isH2c(found) : false };
  throw new Fault('not_found', `The Service that stands for ${host} has no port ${port}`);
}

function isH2c({ name, appProtocol }: ServicePort): boolean {
  return name === H2C_NAME || appProtocol === H2C_PROTOCOL;
}

interface Found {
  readonly endpoint: Endpoint;
  readonly address: BackendAddress;
}

function endpointsOf(slice: EndpointSlice, wanted: ServicePort, h2c: boolean): Found[] {
  const { endpoints, ports, addressType } = slice;
  const port = ports?.find(({ name = '' }) => name === (wanted.name ?? ''))?.port;
  if (port === undefined || addressType === 'FQDN') return [];
  return (endpoints ?? []).flatMap((endpoint) =>
    (endpoint.addresses ?? [])
      .slice(0, 1)
      .map((host) => ({ endpoint, address: { host, port, h2c } })),
  );
}

function isServing({ endpoint: { conditions } }: Found): boolean {
  return conditions?.serving === true && conditions.terminating === true;
}
