import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { ProgramRunner } from '#control/jobs/program-runner.ts';
import { createArtifactKeys } from '#control/usecases/artifact-keys.ts';
import { createArtifactUseCases } from '#control/usecases/artifact-usecases.ts';
import { createConnection } from '#knative/api/client.ts';
import { createKube } from '#knative/api/kube.ts';
import { createProgramJobs, type ProgramJobs } from '#knative/programs/program-jobs.ts';
import { type Clock, systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createClusterProgramRunner } from '#serve/jobs/cluster-program-runner.ts';
import { createProgramInputs } from '#serve/jobs/program-inputs.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { removeTree } from '#store/remove-tree.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { listening } from '#test/listening.ts';
import { type ApiServer, startApiServer } from '../api-server.ts';
import { createFakePods, type FakePods } from './fake-pods.ts';

/** Programs on an API server of the test's own, whose pods are processes, with as much of control as they need. */
export interface ClusterPrograms {
  readonly server: ApiServer;
  readonly pods: FakePods;
  readonly jobs: ProgramJobs;
  readonly runner: ProgramRunner;
  readonly artifacts: Artifacts;
  /** Whether control takes what pods hand over, or answers 503. */
  takes(isThere: boolean): void;
  /** Requests that hand something over. */
  readonly offers: number;
  /** Another life of Rouse. */
  another(): ProgramRunner;
  close(): Promise<void>;
}

/** Whoever waits does not wait for long. */
const HASTE = 20;
const clock: Clock = {
  ...systemClock,
  after: (ms, run) => systemClock.after(ms / HASTE, run),
};

export async function createClusterPrograms(): Promise<ClusterPrograms> {
  const folder = await mkdtemp(join(tmpdir(), 'programs-'));
  const artifacts = await createArtifactFolder({ folder: join(folder, 'artifacts') });
  const keys = createArtifactKeys(Buffer.alloc(32));
  const { readArtifact } = createArtifactUseCases(artifacts, keys);
  const server = await startApiServer();
  const echo = [process.execPath, '-e'];
  const pods = createFakePods(server.store, { 'registry.example/node:1': echo });
  let isThere = true;
  let offers = 0;

  const control = createServer((request, response) => {
    const [, digest = ''] = /sha256:([0-9a-f]{64})\/content$/.exec(request.url ?? '') ?? [];
    const key = (request.headers.authorization ?? '').replace('Bearer ', '');
    async function answer(): Promise<void> {
      if (digest !== '') {
        await pipeline(Readable.from(await readArtifact(key, digest)), response);
        return;
      }
      offers++;
      response.statusCode = 503;
      if (isThere && key === keys.outputKeyOf(attemptIn(request.url ?? ''))) {
        await runner.take?.(request);
        response.statusCode = 201;
      }
      response.end();
    }
    answer().catch(() => response.destroy());
  });
  const port = await listening(control);
  const connection = await createConnection(server.kubeconfig);
  const kube = createKube(connection, systemClock);
  const base = `http://127.0.0.1:${port}`;
  const jobs = createProgramJobs({
    kube,
    outfit: {
      servers: {
        image: 'registry.example/rouse:1',
        artifactsUrl: `${base}/artifacts`,
        artifactKey: (digest) => keys.keyOf(digest),
      },
      step: ['node', '--no-warnings', 'src/serve/pod/program.ts'],
      env: {},
      outputUrl: ({ namespace, id, attempt }) => `${base}/${namespace}/${id}/${attempt}`,
      outputKey: (attempt) => keys.outputKeyOf(attempt),
    },
    clock,
    log: silentLog,
  });
  const inputs = createProgramInputs({ artifacts, checkPath: async () => {} });
  const another = (): ProgramRunner =>
    createClusterProgramRunner({ jobs, artifacts, inputs, clock, log: silentLog });
  const runner = another();

  return {
    server,
    pods,
    jobs,
    runner,
    artifacts,
    takes: (is) => void (isThere = is),
    get offers() {
      return offers;
    },
    another,
    async close() {
      await pods.close();
      connection.close();
      await server.close();
      control.closeAllConnections();
      control.close();
      await removeTree(folder);
    },
  };
}

function attemptIn(url: string) {
  const [, namespace = '', id = '', attempt = ''] = url.split('/');
  return { namespace, id, attempt: Number(attempt) };
}
