import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * What lets a pod on another machine do one thing, and no other: an instance fetch its own artifact, the program of a job
 * hand over what it has left. Such a key follows from what it opens and a secret of the platform. It says nothing else, so
 * nothing is stored of it, and it holds as long as the secret.
 */
export interface ArtifactKeys {
  /** `ra_` and 43 characters of base64url. */
  keyOf(digest: string): string;
  isKeyOf(key: string, digest: string): boolean;
  /** `ro_` and 43 characters of base64url. */
  outputKeyOf(attempt: Attempt): string;
  isOutputKeyOf(key: string, attempt: Attempt): boolean;
}

/** Of the program of a job. */
export interface Attempt {
  readonly namespace: string;
  readonly id: string;
  readonly attempt: number;
}

export function createArtifactKeys(secret: Uint8Array): ArtifactKeys {
  function sign(text: string): string {
    return createHmac('sha256', secret).update(text).digest('base64url');
  }

  const keyOf = (digest: string): string => `ra_${sign(`artifact ${digest}`)}`;
  const outputKeyOf = ({ namespace, id, attempt }: Attempt): string =>
    `ro_${sign(`output ${namespace}/${id} ${attempt}`)}`;

  return {
    keyOf,
    isKeyOf: (key, digest) => isSame(key, keyOf(digest)),
    outputKeyOf,
    isOutputKeyOf: (key, attempt) => isSame(key, outputKeyOf(attempt)),
  };
}

function isSame(key: string, rightOne: string): boolean {
  const [given, right] = [Buffer.from(key), Buffer.from(rightOne)];
  return given.length === right.length && timingSafeEqual(given, right);
}
