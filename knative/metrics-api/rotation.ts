import type { Certificate } from './certificate.ts';

/**
 * The certificates of the metrics API: made at every start and now and then, and kept in memory only.
 *
 * 1. What is served is in the bundle that the API server trusts, before it is served.
 * 2. Nothing is served for longer than `RENEW_MS`, where the API server can be told of another.
 */
export interface Certificates {
  readonly serving: Dated;
  /** It is served as soon as it is trusted. */
  readonly next?: Dated;
}

export interface Dated extends Certificate {
  /** The host name that it is for. */
  readonly name: string;
  /** ms since the epoch. */
  readonly madeAt: number;
}

const DAY_MS = 86_400_000;
/** As long as an API server may be away without any harm. */
export const LIFETIME_MS = 30 * DAY_MS;
export const RENEW_MS = 20 * DAY_MS;

/** @param bundle What the API server trusts now; PEM. */
export function decideCertificates(
  held: Certificates | undefined,
  { name, bundle, now }: { name: string; bundle: string; now: number },
  make: () => Dated,
): Certificates {
  if (held?.serving.name !== name) return { serving: make() };
  const { serving, next } = held;
  if (next) return bundle.includes(next.certificate) ? { serving: next } : held;
  return now - serving.madeAt >= RENEW_MS ? { serving, next: make() } : held;
}

/** What the API server shall trust; PEM. */
export function bundleOf({ serving, next }: Certificates): string {
  return serving.certificate + (next?.certificate ?? '');
}
