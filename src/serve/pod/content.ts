import type { ArtifactRef } from '#domain/records.ts';
import { backoffMs } from '#lib/backoff.ts';
import { causeOf, Fault, messageOf } from '#lib/fault.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { putFolder } from '#store/put-folder.ts';

/** Where an artifact is to be had, and what opens it. */
export interface ContentSource {
  /** Answers `GET <url>/sha256:<digest>/content`. */
  readonly url: string;
  readonly key: string;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5000;

/**
 * Brings an artifact into `artifacts`, checked by its digest. While the platform is away it is asked again, until
 * `signal` ends it. Throws a Fault when another try would not help.
 */
export async function fetchContent(
  source: ContentSource,
  ref: ArtifactRef,
  options: Patience & { readonly artifacts: Artifacts },
): Promise<void> {
  await untilDone(() => fetchOnce(source, ref, options), options);
}

export interface Patience {
  readonly signal: AbortSignal;
  readonly wait: (ms: number) => Promise<unknown>;
  readonly warn: (text: string) => void;
}

/** Tried again, until `signal` ends it, for as long as its Fault is `unavailable`. */
export async function untilDone(
  work: () => Promise<void>,
  { signal, wait, warn }: Patience,
): Promise<void> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !(error instanceof Fault) || error.code !== 'unavailable') throw error;
      warn(messageOf(error));
      await wait(backoffMs(failures, FIRST_WAIT_MS, LONGEST_WAIT_MS));
    }
  }
}

async function fetchOnce(
  { url, key }: ContentSource,
  ref: ArtifactRef,
  { artifacts, signal }: { artifacts: Artifacts; signal: AbortSignal },
): Promise<void> {
  const address = `${url}/sha256:${ref.digest}/content`;
  try {
    const response = await fetch(address, { headers: { authorization: `Bearer ${key}` }, signal });
    if (response.status !== 200 || !response.body) throw await refusalOf(response, address);
    await take(response.body, ref, artifacts);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('unavailable', `${address} could not be fetched: ${causeOf(error)}`);
  }
}

async function take(
  bytes: AsyncIterable<Uint8Array>,
  { name, kind, digest, size }: ArtifactRef,
  artifacts: Artifacts,
): Promise<void> {
  if (kind === 'file') {
    await artifacts.put(bytes, { name, kind, expected: digest, maxBytes: size });
    return;
  }
  await putFolder(artifacts, bytes, { name, expected: digest, maxBytes: size });
}

export async function refusalOf(response: Response, address: string): Promise<Fault> {
  const text = (await response.text()).slice(0, 500);
  const { status } = response;
  const isPassing = status >= 500 || status === 429;
  return new Fault(isPassing ? 'unavailable' : 'invalid', `${address} answered ${status}: ${text}`);
}
