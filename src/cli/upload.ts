import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { formatSize } from '#domain/format-size.ts';
import { Fault } from '#lib/fault.ts';
import { digestOf, encodeManifest, manifestOf } from '#lib/folder-manifest.ts';
import { createHash } from 'node:crypto';
import { type Client, faultOf } from './client.ts';
import type { Output } from './io.ts';

/** How often a terminal is told, in bytes: often enough to see that it moves. */
const PROGRESS_BYTES = 1024 * 1024;

interface Piece {
  readonly digest: string;
  readonly size: number;
  readonly name: string;
  readonly kind: 'file' | 'folder';
  read(): AsyncIterable<Uint8Array>;
}

/**
 * Stores a file or a folder by its content, unless it is there already, and returns `sha256:<digest>`. A
 * folder is its manifest, put after the files that it names.
 */
export async function upload(client: Client, path: string, progress: Output): Promise<string> {
  const name = basename(path);
  if (!(await stat(path)).isDirectory()) {
    const { size, digest } = await digestOf(path);
    const read = (): AsyncIterable<Uint8Array> => createReadStream(path);
    return await put(client, { digest, size, name, kind: 'file', read }, progress);
  }
  const manifest = await manifestOf(path);
  const text = Buffer.from(encodeManifest(manifest));
  const digest = createHash('sha256').update(text).digest('hex');
  const folder = {
    digest,
    size: text.length,
    name,
    kind: 'folder',
    read: () => once(text),
  } as const;
  if (await has(client, folder)) return `sha256:${digest}`;
  for (const file of manifest.files) {
    const read = (): AsyncIterable<Uint8Array> => createReadStream(join(path, file.path));
    const piece = { ...file, name: basename(file.path), kind: 'file', read } as const;
    await put(client, piece, progress);
  }
  return await put(client, folder, progress);
}

async function put(client: Client, piece: Piece, progress: Output): Promise<string> {
  if (!(await has(client, piece))) {
    const { name, kind } = piece;
    const content = progress.isTTY ? watched(piece, progress) : piece.read();
    const call = { method: 'PUT', path: pathOf(piece), query: { name, kind } } as const;
    const response = await client.send(call, content);
    if (!response.ok) throw await faultOf(response, client.server);
    await response.body?.cancel();
  }
  return `sha256:${piece.digest}`;
}

async function has(client: Client, piece: Piece): Promise<boolean> {
  const response = await client.send({ method: 'HEAD', path: pathOf(piece) });
  if (response.ok || response.status === 404) return response.ok;
  // An answer to HEAD has no body: ask again to learn why.
  const reason = await client.send({ path: pathOf(piece) });
  if (reason.ok) return true;
  throw await faultOf(reason, client.server);
}

function pathOf({ digest }: Piece): string {
  return `/api/v1/artifacts/sha256:${digest}`;
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

/** The same content; a line on the terminal says how far it is. */
async function* watched(piece: Piece, progress: Output): AsyncGenerator<Uint8Array> {
  let sent = 0;
  let told = 0;
  for await (const chunk of piece.read()) {
    yield chunk;
    sent += chunk.length;
    if (sent - told < PROGRESS_BYTES) continue;
    told = sent;
    const percent = Math.floor((sent / piece.size) * 100);
    progress.write(`\r${piece.name}  ${percent} % of ${formatSize(piece.size)}\u001B[K`);
  }
  progress.write('\r\u001B[K');
}

/** A source that the server can read by itself, or that is no content at all. */
export function isRemote(source: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/.test(source);
}

/** What can be uploaded is a file or a folder that is there. */
export async function checkSource(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() || found?.isDirectory()) return;
  throw new Fault('not_found', `${path}: there is no such file or folder`);
}
