import type { ArtifactRef } from '#domain/records.ts';

/**
 * Content by SHA-256. A file's digest is that of its bytes; a folder is a manifest (a file) that lists
 * relative path, mode, size and digest of each file (`#lib/folder-manifest.ts`), and its digest is the
 * manifest's, its size that of its files together. A folder is put after its files: a manifest that names
 * content which is not here is refused.
 * An implementation is whatever passes `test/store/artifacts-conformance.ts`.
 */
export interface Artifacts {
  /**
   * Streams a file, or the manifest of a folder, in. Another digest than `expected`: Fault `invalid`; more than
   * `maxBytes`: `too_large`; no space: `storage_full`; nothing is kept then.
   */
  put(
    content: AsyncIterable<Uint8Array>,
    options: { name: string; kind: ArtifactRef['kind']; expected?: string; maxBytes: number },
  ): Promise<ArtifactRef>;
  /**
   * What is stored under a digest, under the name it was last put with. Nothing when it was found damaged, or
   * is a folder of which a file is not here: a put heals it.
   */
  stat(digest: string): Promise<ArtifactRef | undefined>;
  /**
   * As `stat`, and it counts as pushed now, the files of a folder with it: whoever asks so is about to use it, and
   * `removeUntouched` leaves it alone.
   */
  touch(digest: string): Promise<ArtifactRef | undefined>;
  /** All digests of which there is anything, with when each was put or touched last (ms since the epoch). */
  list(): AsyncIterable<StoredContent>;
  /** Digests of the files of a folder; none where the manifest is not here or cannot be read. */
  filesOf(digest: string): Promise<readonly string[]>;
  /** The bytes, checked while they are read: the stream fails with Fault `internal` when they differ. */
  read(digest: string): AsyncIterable<Uint8Array>;
  /**
   * A path on this machine with a copy of the content, verified: the file itself under its name, or the folder.
   * Shared and read-only; stays until `remove`. One that was changed since is made anew: ask before each use. Fault `not_found`, or `internal` when the content is damaged.
   */
  materialize(ref: ArtifactRef): Promise<string>;
  /** Of a folder only the manifest: others may share its files. The caller knows what is still in use. */
  remove(digest: string): Promise<void>;
  /** The same, unless it was put or touched at `since` or later, also while this runs: false then. */
  removeUntouched(digest: string, since: number): Promise<boolean>;
}

export interface StoredContent {
  readonly digest: string;
  readonly touchedAt: number;
}
