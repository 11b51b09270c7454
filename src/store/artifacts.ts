import type { ArtifactRef } from '#domain/records.ts';

export interface FolderManifest {
  readonly files: readonly {
    /** Relative, with `/`, without `..`. Sorted. */
    readonly path: string;
    readonly executable: boolean;
    readonly size: number;
    readonly digest: string;
  }[];
}

/**
 * Content by SHA-256. A file's digest is that of its bytes; a folder is a manifest (a file) that lists
 * relative path, mode, size and digest of each file, and its digest is the manifest's. A folder is put after
 * its files: a manifest that names content which is not here is refused.
 * An implementation is whatever passes `test/store/artifacts-conformance.ts`.
 */
export interface Artifacts {
  /** Streams a file in. When `expected` is given and differs: Fault `invalid`, nothing is kept. */
  put(
    content: AsyncIterable<Uint8Array>,
    options: { name: string; kind: ArtifactRef['kind']; expected?: string; maxBytes: number },
  ): Promise<ArtifactRef>;
  /** What is stored under a digest, under the name it was last put with. */
  stat(digest: string): Promise<ArtifactRef | undefined>;
  /** The bytes, checked while they are read: the stream fails with Fault `internal` when they differ. */
  read(digest: string): AsyncIterable<Uint8Array>;
  /**
   * A path on this machine with the content, verified: the file itself under its name, or the folder.
   * Shared and read-only; stays until `remove`.
   */
  materialize(ref: ArtifactRef): Promise<string>;
  remove(digest: string): Promise<void>;
}
