import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { CertificateFiles } from '#domain/server.ts';
import { Fault, messageOf } from '#lib/fault.ts';

/** A certificate chain with its key, and the DNS names that it is for. */
export interface Certificate {
  readonly chain: Buffer;
  readonly key: Buffer;
  readonly context: SecureContext;
  readonly names: readonly string[];
}

/** Finds the certificate for the name that a caller asks for, in lower case. */
export type Choose = (servername: string) => Certificate | undefined;

/** The versions before it have been withdrawn (RFC 8996). */
export const MIN_VERSION = 'TLSv1.2';

/** Throws Fault `invalid` that names the file and what is wrong with it. */
export function readCertificate(files: CertificateFiles): Certificate {
  return makeCertificate(readPem(files.certificate), readPem(files.key), files);
}

/** In PEM. `called`: what messages call them. Throws as `readCertificate` does. */
export function makeCertificate(chain: Buffer, key: Buffer, called: CertificateFiles): Certificate {
  const certificate = parse(
    called.certificate,
    'certificate',
    chain,
    (pem) => new X509Certificate(pem),
  );
  const privateKey = parse(called.key, 'private key', key, createPrivateKey);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Fault('invalid', `${called.key} is not the key of ${called.certificate}`);
  }
  const context = within(called.certificate, () =>
    createSecureContext({ cert: chain, key, minVersion: MIN_VERSION }),
  );
  return { chain, key, context, names: namesOf(certificate) };
}

/** Exact names before wildcards, earlier files before later ones. */
export function makeChoice(certificates: readonly Certificate[]): Choose {
  const byName = new Map<string, Certificate>();
  for (const certificate of certificates) {
    for (const name of certificate.names) if (!byName.has(name)) byName.set(name, certificate);
  }
  return (servername) => {
    const name = servername.toLowerCase();
    // A wildcard stands for one label, and is not for the domain itself (RFC 6125, 6.4.3).
    return byName.get(name) ?? byName.get(`*${name.slice(Math.max(0, name.indexOf('.')))}`);
  };
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Fault('invalid', `${file} cannot be read: ${messageOf(error)}`);
  }
}

/** What OpenSSL says of a file that is something else helps nobody. */
function parse<T>(file: string, what: string, pem: Buffer, read: (pem: Buffer) => T): T {
  try {
    return read(pem);
  } catch {
    const why = pem.includes('ENCRYPTED') ? 'cannot be used: it is encrypted' : `is no PEM ${what}`;
    throw new Fault('invalid', `${file} ${why}`);
  }
}

function within<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Fault('invalid', `${file} cannot be used: ${messageOf(error)}`);
  }
}

/** The common name is not looked at: no browser does any more. */
function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName
    .split(', ')
    .filter((entry) => entry.startsWith('DNS:'))
    .map((entry) => entry.slice('DNS:'.length).toLowerCase());
}
