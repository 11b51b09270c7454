import type { ArtifactRef } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { causeOf, Fault } from '#lib/fault.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { MAX_ARTIFACT_BYTES } from '../limits.ts';
import { createTimeLimit } from '../wait.ts';

/** Models are large and sources slow; after this long something is wrong. */
const FETCH_MS = 30 * 60_000;
/** As many as browsers' common libraries follow; more is a loop. */
const REDIRECTS = 5;
const NAME_LIMIT = 255;

/** Brings what an address names into the artifacts. Faults that are worth another try are retryable. */
export async function fetchSource(
  address: string,
  options: { artifacts: Artifacts; clock: Clock; signal: AbortSignal; maxBytes?: number },
): Promise<ArtifactRef> {
  const { artifacts, clock, maxBytes = MAX_ARTIFACT_BYTES } = options;
  const time = createTimeLimit(clock, FETCH_MS, options.signal);
  try {
    const { response, url } = await follow(new URL(address), time.signal);
    refuseStatus(response, address);
    const declared = Number(response.headers.get('content-length') ?? 0);
    if (declared > maxBytes || !response.body) throw tooLarge(address, declared, maxBytes);
    const name = decodeName(url);
    return await artifacts.put(response.body, { name, kind: 'file', maxBytes });
  } catch (error) {
    if (error instanceof Fault) throw error;
    const reason = time.isOver ? `not done within ${FETCH_MS / 60_000} minutes` : causeOf(error);
    throw new Fault('unavailable', `${address} could not be fetched: ${reason}`, { cause: error });
  } finally {
    time.close();
  }
}

async function follow(start: URL, signal: AbortSignal): Promise<{ response: Response; url: URL }> {
  let url = start;
  for (let hop = 0; hop <= REDIRECTS; hop++) {
    const response = await fetch(url, { redirect: 'manual', signal });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null)
      return { response, url };
    await response.body?.cancel();
    url = new URL(location, url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new Fault(
        'invalid',
        `${start.href} redirects to ${url.protocol}//: expected http or https`,
      );
    }
  }
  throw new Fault('invalid', `${start.href} redirects more than ${REDIRECTS} times`);
}

function refuseStatus({ status, body }: Response, address: string): void {
  if (status === 200) return;
  void body?.cancel();
  const message = `${address} answered ${status}: expected 200 with the content`;
  throw new Fault(status >= 500 || status === 429 ? 'unavailable' : 'invalid', message);
}

function tooLarge(address: string, size: number, limit: number): Fault {
  return new Fault('too_large', `${address} has ${size} bytes: at most ${limit} are taken`);
}

function decodeName(url: URL): string {
  const last = url.pathname.split('/').findLast((part) => part !== '') ?? 'model';
  const safe = last.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(-NAME_LIMIT);
  return /^\.*$/.test(safe) ? 'model' : safe;
}
