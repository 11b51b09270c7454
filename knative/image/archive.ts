import { createHash } from 'node:crypto';
import type { Layer } from './layer.ts';
import { TAR_END, tarFile, tarHeader, tarPadding } from './tar.ts';

/**
 * An image as an archive that both `ctr images import` and `docker load` read: an image layout of the Open Container
 * Initiative (image-spec 1.1, "Image Layout"), and the `manifest.json` of Docker beside it.
 */

export interface Image {
  /** With its tag. */
  readonly name: string;
  /** From below to above. */
  readonly layers: readonly Layer[];
  /** How it runs, in the words of image-spec ("config"). */
  readonly config: Readonly<Record<string, unknown>>;
}

const OCI = 'application/vnd.oci.image';

/** The archive, piece by piece. Layers whose digests are in `known` are left out: who gets it must have them. */
export async function* makeArchive(
  { name, layers, config }: Image,
  known: ReadonlySet<string> = new Set(),
): AsyncGenerator<Buffer> {
  const settings = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => `sha256:${digest}`) },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: describe('config.v1+json', settings),
    layers: layers.map((layer) => describe('layer.v1.tar', layer)),
  });
  yield tarFile('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  yield tarFile('index.json', makeIndex(name, manifest));
  yield tarFile('manifest.json', makeDockerManifest(name, settings, layers));
  for (const text of [settings, manifest]) yield tarFile(pathOf(digestOf(text)), text);
  for (const layer of layers) if (!known.has(layer.digest)) yield* packBlob(layer);
  yield TAR_END;
}

async function* packBlob(layer: Layer): AsyncGenerator<Buffer> {
  const { digest, size } = layer;
  yield tarHeader({ name: pathOf(digest), mode: 0o644, size });
  yield* layer.read();
  yield tarPadding(size);
}

function makeIndex(name: string, manifest: string): string {
  const annotations = { 'io.containerd.image.name': name };
  const manifests = [{ ...describe('manifest.v1+json', manifest), annotations }];
  return JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests });
}

function makeDockerManifest(name: string, settings: string, layers: readonly Layer[]): string {
  const Layers = layers.map(({ digest }) => pathOf(digest));
  return JSON.stringify([{ Config: pathOf(digestOf(settings)), RepoTags: [name], Layers }]);
}

function describe(type: string, what: string | Pick<Layer, 'digest' | 'size'>): object {
  const { digest, size } =
    typeof what === 'string' ? { digest: digestOf(what), size: Buffer.byteLength(what) } : what;
  return { mediaType: `${OCI}.${type}`, digest: `sha256:${digest}`, size };
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function pathOf(digest: string): string {
  return `blobs/sha256/${digest}`;
}
