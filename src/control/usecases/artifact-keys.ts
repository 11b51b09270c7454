import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * What lets an instance on another machine fetch its own artifact, and no other: a key that follows from the digest
 * and a secret of the platform. It says nothing else, so nothing is stored of it, and it holds as long as the secret.
 */
export interface ArtifactKeys {
  /** `ra_` and 43 characters of base64url. */
  keyOf(digest: string): string;
  isKeyOf(key: string, digest: string): boolean;
}

export function createArtifactKeys(secret: Uint8Array): ArtifactKeys {
  function keyOf(digest: string): string {
    return `ra_${createHmac('sha256', secret).update(`artifact ${digest}`).digest('base64url')}`;
  }

  return {
    keyOf,
    isKeyOf(key, digest) {
      const [given, right] = [Buffer.from(key), Buffer.from(keyOf(digest))];
      return given.length === right.length && timingSafeEqual(given, right);
    },
  };
}
