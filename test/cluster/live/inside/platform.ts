import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RevisionSpecInput } from '#domain/model.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from '#test/e2e/platform.ts';
import { untilCluster } from './within.ts';

/** `rouse serve --runtime knative` in the box, with models of an image that every cluster of ours has. */
export interface InsidePlatform extends Platform {
  /** Makes or changes a model; the status of `rouse apply`, and what it said. */
  apply(name: string, spec?: ModelSpec): Promise<{ status: number; said: string }>;
  ask(name: string, options?: { hold?: string }): Promise<Answer>;
  /** What was told of a model, oldest first, as `type: why`. */
  events(name: string): Promise<string[]>;
  /** Deletes a model, if there is one. */
  remove(name: string): Promise<void>;
  /** None of its instances takes requests. */
  untilAsleep(name: string): Promise<void>;
  close(): Promise<void>;
}

export interface ModelSpec {
  readonly revision?: Partial<RevisionSpecInput>;
  readonly scaling?: object;
  /** For so long it is kept. */
  readonly idle?: string;
  /** Other keys of the model's spec. */
  readonly more?: object;
}

export interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly detail?: string;
  readonly retryAfter: string | null;
}

export async function beginPlatform(
  options: { args?: readonly string[]; env?: Record<string, string> } = {},
): Promise<InsidePlatform> {
  const folder = await makeFolder();
  const cluster = ['--runtime', 'knative', '--knative-image', 'dev.local/none:v1'];
  const reach = ['--knative-control', 'http://127.0.0.1:1'];
  const args = [...cluster, ...reach, ...(options.args ?? [])];
  const platform = await startPlatform(folder, { ...options, args }).catch(
    async (error: unknown) => {
      await removeFolder(folder);
      throw error;
    },
  );

  return {
    ...platform,
    async apply(name, spec = {}) {
      const file = join(folder, `${name}.json`);
      await writeFile(file, JSON.stringify(makeModel(name, spec)));
      const { status, stdout, stderr } = await platform.rouse('apply', '-f', file);
      return { status, said: stdout + stderr };
    },
    async ask(name, { hold } = {}) {
      const response = await fetch(`${platform.requests}/models/default/${name}/`, {
        headers: hold === undefined ? {} : { 'Rouse-Hold': hold },
      });
      const text = await response.text();
      const retryAfter = response.headers.get('retry-after');
      if (response.ok) return { status: response.status, retryAfter };
      const { code, detail } = JSON.parse(text) as { code: string; detail: string };
      return { status: response.status, code, detail, retryAfter };
    },
    async events(name) {
      const url = `${platform.control}/api/v1/namespaces/default/models/${name}/events`;
      const { items } = (await (await fetch(url)).json()) as {
        items: { type: string; why: string }[];
      };
      return items.map(({ type, why }) => `${type}: ${why}`);
    },
    async remove(name) {
      const url = `${platform.control}/api/v1/namespaces/default/models/${name}`;
      const { ok, status } = await fetch(url, { method: 'DELETE' });
      if (!ok && status !== 404) throw new Error(`${name} was not deleted: ${status}`);
    },
    async untilAsleep(name) {
      await untilCluster(`${name} sleeps`, async () => {
        const { status } = await platform.model(name);
        return status.instances.every(({ state }) => state !== 'ready' && state !== 'starting');
      });
    },
    async close() {
      await platform.end();
      await removeFolder(folder);
    },
  };
}

export function makeModel(
  name: string,
  { revision = {}, scaling = {}, idle = '10m', more = {} }: ModelSpec,
): unknown {
  const source = 'dev.local/helloworld:v1';
  const timeouts = { hold: '240s', run: '60s' };
  return {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name },
    spec: {
      revision: { name: 'v1', runtime: 'image', source, timeouts, ...revision },
      scaling,
      keepAlive: { policy: 'fixed', idle },
      ...more,
    },
  };
}
