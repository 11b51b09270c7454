import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type Certificate, makeChoice, readCertificate } from '#activator/entry/certificates.ts';
import { hostOf } from '#domain/address.ts';
import type { ServerSettings } from '#domain/server.ts';
import type { CurlWay } from '#domain/views.ts';
import { messageOf } from '#lib/fault.ts';

type Entry = Pick<ServerSettings, 'tls' | 'proxyProtocol' | 'domain'>;

/** @param dataPlane its address. @param now ms since the epoch. */
export function findCurlWay(entry: Entry, dataPlane: string, now: number): CurlWay {
  if (entry.proxyProtocol) {
    return { why: 'connections begin with PROXY protocol v2, which curl does not speak' };
  }
  if (entry.tls.length === 0) return { origin: dataPlane };
  try {
    return findTlsWay(entry, dataPlane, now);
  } catch (error) {
    // It was whole at the start, and may be in the middle of a change.
    return { why: messageOf(error) };
  }
}

/** By the address if a certificate is for that, or else by a name that one is for. */
function findTlsWay({ tls, domain }: Entry, dataPlane: string, now: number): CurlWay {
  const url = new URL(dataPlane);
  const { hostname, port } = url;
  const certificates = tls.map(readCertificate);
  const choose = makeChoice(certificates);
  const host = hostOf(url);
  const names = certificates.flatMap((certificate) => certificate.names);
  // What is below the domain is the host of a model.
  const callable = names.filter((name) => !name.startsWith('*') && !name.endsWith(`.${domain}`));
  for (const name of [host, ...callable]) {
    // An address is not said in the handshake.
    const served = (isIP(name) === 0 && choose(name)) || certificates[0];
    if (!served || !isFor(served, name)) continue;
    const file = tls[certificates.indexOf(served)]?.certificate ?? '';
    if (!isValid(served, now)) return { why: `${file} is not valid now` };
    const certificate = resolve(file);
    if (name === host) return { origin: dataPlane, certificate };
    const origin = `https://${name}:${port}`;
    return { origin, certificate, resolve: `${name}:${port}:${hostname}` };
  }
  return { why: `no certificate is for ${host} or another host that is no model's` };
}

function isFor({ chain }: Certificate, name: string): boolean {
  const certificate = new X509Certificate(chain);
  const found =
    isIP(name) === 0
      ? certificate.checkHost(name, { subject: 'never' })
      : certificate.checkIP(name);
  return found !== undefined;
}

function isValid({ chain }: Certificate, now: number): boolean {
  const { validFrom, validTo } = new X509Certificate(chain);
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo);
}
