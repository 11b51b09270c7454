import type { Artifacts } from '#store/artifacts.ts';
import { MAX_ARTIFACT_BYTES } from './limits.ts';
import { requireRole } from './roles.ts';
import type { UseCases } from './usecases.ts';

type ArtifactUseCases = Pick<UseCases, 'statArtifact' | 'putArtifact'>;

export function createArtifactUseCases(artifacts: Artifacts): ArtifactUseCases {
  return {
    async statArtifact(actor, digest) {
      requireRole(actor, 'deploy');
      return await artifacts.stat(digest);
    },
    async putArtifact(actor, digest, content, { name, kind }) {
      requireRole(actor, 'deploy');
      const options = { name, kind, expected: digest, maxBytes: MAX_ARTIFACT_BYTES };
      return await artifacts.put(content, options);
    },
  };
}
