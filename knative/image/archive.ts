import { createHash } from 'node:crypto';
import type { Layer } from './layer.ts';
import { TAR_END, tarFile, tarHeader, tarPadding } from './tar.ts';

/**
 * Images as an archive that both `ctr images import` and `docker load` read: an image layout of the Open Container
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

/** What is written of an image, besides its layers. */
interface Texts {
  readonly name: string;
  readonly settings: string;
  readonly manifest: string;
  readonly layers: readonly Layer[];
}

/**
 * The archive, piece by piece; a layer that several of the images have is in it once. Layers whose digests are in
 * `known` are left out: who gets it must have them.
 */
export async function* makeArchive(
  images: readonly Image[],
  known: ReadonlySet<string> = new Set(),
): AsyncGenerator<Buffer> {
  const written = images.map(writeTexts);
  yield tarFile('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  yield tarFile('index.json', makeIndex(written));
  yield tarFile('manifest.json', makeDockerManifest(written));
  for (const { settings, manifest } of written) {
    for (const text of [settings, manifest]) yield tarFile(pathOf(digestOf(text)), text);
  }
  const layers = written.flatMap((image) => image.layers);
  for (const [digest, layer] of new Map(layers.map((each) => [each.digest, each]))) {
    if (!known.has(digest)) yield* packBlob(layer);
  }
  yield TAR_END;
}

function writeTexts({ name, layers, config }: Image): Texts {
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
  return { name, settings, manifest, layers };
}

async function* packBlob(layer: Layer): AsyncGenerator<Buffer> {
  const { digest, size } = layer;
  yield tarHeader({ name: pathOf(digest), mode: 0o644, size });
  yield* layer.read();
  yield tarPadding(size);
}

function makeIndex(images: readonly Texts[]): string {
  const manifests = images.map(({ name, manifest }) => ({
    ...describe('manifest.v1+json', manifest),
    annotations: { 'io.containerd.image.name': name },
  }));
  return JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests });
}

function makeDockerManifest(images: readonly Texts[]): string {
  return JSON.stringify(
    images.map(({ name, settings, layers }) => ({
      Config: pathOf(digestOf(settings)),
      RepoTags: [name],
      Layers: layers.map(({ digest }) => pathOf(digest)),
    })),
  );
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
