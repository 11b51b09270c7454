import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { createKube } from '#knative/api/kube.ts';
import { createPodConnection } from '#knative/api/pod-connection.ts';
import { PODS } from '#knative/api/resources.ts';
import { systemClock } from '#lib/clock.ts';
import { useTeardown } from '#test/teardown.ts';
import { type ApiServer, startApiServer } from './api-server.ts';

const teardown = useTeardown();
let server: ApiServer;
let folder: string;
let env: NodeJS.ProcessEnv;

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
  readonly users: readonly { readonly user: { readonly token: string } }[];
}

beforeEach(async () => {
  server = await startApiServer();
  teardown(() => server.close());
  folder = await mkdtemp(join(tmpdir(), 'account-'));
  teardown(() => rm(folder, { recursive: true }));
  const config: Kubeconfig = JSON.parse(await readFile(server.kubeconfig, 'utf8'));
  const cluster = config.clusters[0]?.cluster;
  const ca = Buffer.from(cluster?.['certificate-authority-data'] ?? '', 'base64');
  await writeFile(join(folder, 'ca.crt'), ca);
  await writeFile(join(folder, 'token'), `${config.users[0]?.user.token}\n`);
  const { hostname, port } = new URL(cluster?.server ?? '');
  env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
});

test('a pod reaches its cluster by its service account, whose token may change', async () => {
  const token = await readFile(join(folder, 'token'), 'utf8');
  await writeFile(join(folder, 'token'), 'of before');
  const connection = await createPodConnection(env, folder);
  teardown(() => connection.close());
  const kube = createKube(connection, systemClock);
  await expect(kube.list(PODS, '')).rejects.toThrow(
    "the cluster does not know Rouse's credentials",
  );
  await writeFile(join(folder, 'token'), token);
  expect(await kube.list(PODS, '')).toMatchObject({ items: [] });
});

test('outside of a pod it says so', async () => {
  await expect(createPodConnection({}, folder)).rejects.toThrow(
    'KUBERNETES_SERVICE_HOST is not set: this runs in pods only',
  );
  await rm(join(folder, 'ca.crt'));
  await expect(createPodConnection(env, folder)).rejects.toThrow(/ca\.crt cannot be read/);
});
