import type { Mirrors, ObjectChange } from '../api/mirrors.ts';
import { keyOf } from '../api/objects.ts';
import { type BackendAddress, findAddresses } from './endpoints.ts';
import {
  CORE_SERVICES,
  ENDPOINT_SLICES,
  type EndpointSlice,
  type Secret,
  SECRETS,
  SERVICE_LABEL,
} from './objects.ts';
import type { BackendName } from './rules.ts';

/** What rules may name: Services with their endpoints, and Secrets with certificates. */
export interface Catalog {
  /** Throws Fault `not_found` for a Service or a port that is not there. */
  addressesOf(backend: BackendName): BackendAddress[];
  /** By `namespace/name`. */
  secret(key: string): Secret | undefined;
}

/** @param listener is told the key (`namespace/name`) of what is other than it was. */
export function createCatalog(
  mirrors: Mirrors,
  listener: { onService(key: string): void; onSecret(key: string): void },
): Catalog {
  /** Slices of each Service, by their names. */
  const slices = new Map<string, Map<string, EndpointSlice>>();

  function onSlice({ type, object }: ObjectChange<EndpointSlice>): void {
    const { namespace = '', name, labels } = object.metadata;
    const service = `${namespace}/${labels?.[SERVICE_LABEL] ?? ''}`;
    const known = slices.get(service) ?? new Map<string, EndpointSlice>();
    if (type === 'gone') known.delete(name);
    else known.set(name, object);
    if (known.size > 0) slices.set(service, known);
    else slices.delete(service);
    listener.onService(service);
  }

  const services = mirrors.add(CORE_SERVICES, '', ({ object }) =>
    listener.onService(keyOf(object)),
  );
  const secrets = mirrors.add(SECRETS, '', ({ object }) => listener.onSecret(keyOf(object)));
  mirrors.add(ENDPOINT_SLICES, SERVICE_LABEL, onSlice);
  return {
    addressesOf(backend) {
      const { namespace, service } = backend;
      const parts = slices.get(`${namespace}/${service}`)?.values() ?? [];
      return findAddresses(backend, services.get(namespace, service), parts);
    },
    secret(key) {
      const [namespace = '', name = ''] = key.split('/');
      return secrets.get(namespace, name);
    },
  };
}
