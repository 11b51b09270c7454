import { Fault } from '#lib/fault.ts';
import { packFolder } from '#lib/folder-stream.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { ArtifactKeys } from './artifact-keys.ts';
import { MAX_ARTIFACT_BYTES } from '../limits.ts';
import { requireRole } from '../roles.ts';
import type { UseCases } from './usecases.ts';

type ArtifactUseCases = Pick<UseCases, 'statArtifact' | 'putArtifact' | 'readArtifact'>;

export function createArtifactUseCases(artifacts: Artifacts, keys: ArtifactKeys): ArtifactUseCases {
  return {
    async statArtifact(actor, digest) {
      requireRole(actor, 'deploy');
      // Whoever finds it here does not push it again, and relies on it.
      return await artifacts.touch(digest);
    },
    async putArtifact(actor, digest, content, { name, kind }) {
      requireRole(actor, 'deploy');
      const options = { name, kind, expected: digest, maxBytes: MAX_ARTIFACT_BYTES };
      return await artifacts.put(content, options);
    },
    async readArtifact(key, digest) {
      if (!keys.isKeyOf(key, digest)) {
        throw new Fault('unauthorized', `this key does not open sha256:${digest}`);
      }
      const found = await artifacts.stat(digest);
      if (!found) throw new Fault('not_found', `there is no content sha256:${digest}`);
      const content = artifacts.read(digest);
      return found.kind === 'file' ? content : packFolder(content, (file) => artifacts.read(file));
    },
  };
}
