import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { runRouse } from '#test/e2e/platform.ts';
import { tagImage, untagImage } from '#test/cluster/import-image.ts';
import { findForbidden, findWritten } from './inside/audit.ts';
import { compare, listEverything } from './inside/everything.ts';
import { forward, type Forward } from './inside/forward.ts';
import { installerOf, SYSTEM } from './inside/installers.ts';
import { kubectl, PATIENCE, untilObject, untilRolledOut } from './inside/kubectl.ts';
import { untilCluster } from './inside/within.ts';

/**
 * Run in the box: Rouse is installed, used, brought to another image and other settings, used again and removed, as a user
 * would; prints as JSON what was seen. `argv[2]`: by what it is installed, `argv[3]`: the image.
 */

const [, , how = '', image = ''] = process.argv;
const INGRESS_CLASS = 'rouse.ingress.networking.knative.dev';
const EMBED = resolve(import.meta.dirname, '../../../functions/samples/embed/index.ts');
const MODEL = {
  apiVersion: 'rouse.dev/v1alpha1',
  kind: 'Model',
  metadata: { name: 'embed' },
  spec: {
    revision: { name: 'v1', runtime: 'function', source: EMBED },
    keepAlive: { policy: 'fixed', idle: '6s' },
  },
};
/** It never sleeps: its pod is there before and after. */
const KEPT = {
  ...MODEL,
  metadata: { name: 'kept' },
  spec: {
    revision: { name: 'v1', runtime: 'image', source: 'dev.local/helloworld:v1' },
    scaling: { min: 1 },
  },
};
/** The same by another name, as a newer one would have it. */
const NEWER = image.replace(/:[^:]+$/, ':newer');
const CTR = ['ctr'];
const QUESTION = JSON.stringify({ model: 'embed', input: 'hello' });
/** Made by others, and none of Rouse's business. */
const STRANGERS = ['configmaps,deployments,services,customresourcedefinitions', '--all-namespaces'];
const OURS = 'app.kubernetes.io/name!=rouse';
const SPECS = 'jsonpath={range .items[*]}{.metadata.name} {.spec} {.data}{"\\n"}{end}';

const install = installerOf(how);
const folder = await mkdtemp(join(tmpdir(), 'rouse-install-'));
let open: Forward | undefined;

/** A disk of the node, as a cluster without a provisioner of volumes has it. */
async function makeVolume(): Promise<void> {
  const path = `/var/lib/rouse-volume-${how}`;
  await mkdir(path, { recursive: true });
  const expression = { key: 'kubernetes.io/hostname', operator: 'Exists' };
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `rouse-${how}` },
    spec: {
      capacity: { storage: '10Gi' },
      accessModes: ['ReadWriteOnce'],
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } },
    },
  };
  const file = join(folder, 'volume.json');
  await writeFile(file, JSON.stringify(volume));
  await kubectl('apply', '-f', file);
}

async function strangers(): Promise<string> {
  return await kubectl('get', ...STRANGERS, '--selector', OURS, '--output', SPECS);
}

async function untilReady(): Promise<void> {
  await untilRolledOut('deployment', '--namespace', SYSTEM);
  await open?.close();
  open = await forward(SYSTEM, 'rouse', [80, 8081]);
}

async function rouse(...args: string[]): Promise<string> {
  const server = open?.urls[8081] ?? '';
  const { status, stdout, stderr } = await runRouse(args, folder, { ROUSE_SERVER: server });
  if (status !== 0) throw new Error(`rouse ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

async function ask(): Promise<string> {
  const url = `${open?.urls[80]}/v1/embeddings`;
  const response = await fetch(url, { method: 'POST', body: QUESTION });
  await response.arrayBuffer();
  return `${response.status}, cold ${response.headers.get('rouse-cold-start')}`;
}

async function untilState(model: string, state: string): Promise<void> {
  await untilCluster(`${model} is ${state}`, async () => {
    const { status } = JSON.parse(await rouse('get', 'models', model, '-o', 'json')) as {
      status: { state: string };
    };
    return status.state === state;
  });
}

async function podsOfKept(): Promise<string> {
  const pods = ['pods', '--selector', 'rouse.dev/model=kept'];
  return await kubectl('get', ...pods, '--output', 'jsonpath={.items[*].metadata.uid}');
}

/** What control runs: its image and a setting. */
async function controlOf(): Promise<string> {
  const path = '{..image} {..env[?(@.name=="ROUSE_LOG_LEVEL")].value}';
  const spec = ['deploy/rouse', '--namespace', SYSTEM, '--output', `jsonpath=${path}`];
  return await kubectl('get', ...spec);
}

async function upgrade(): Promise<void> {
  await tagImage(CTR, image, NEWER);
  await install.apply({ image: NEWER, env: { ROUSE_LOG_LEVEL: 'debug' } });
  await untilReady();
}

/**
 * A Knative Service that Rouse knows nothing of, by Rouse's ingress. Without a domain of their own, Services are for
 * callers in the cluster only. Gives what is answered there, and outside.
 */
async function tryIngress(): Promise<string[]> {
  const annotations = { 'networking.knative.dev/ingress.class': INGRESS_CLASS };
  const spec = { template: { spec: { containers: [{ image: 'dev.local/helloworld:v1' }] } } };
  const service = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', spec };
  const named = { ...service, metadata: { name: 'hello', annotations } };
  await writeFile(join(folder, 'hello.json'), JSON.stringify(named));
  await kubectl('apply', '-f', join(folder, 'hello.json'));
  await untilObject('--for=condition=Ready', 'ksvc/hello');
  const url = await kubectl('get', 'ksvc', 'hello', '--output', 'jsonpath={.status.url}');
  const answers: string[] = [];
  for (const gateway of ['rouse-ingress-internal', 'rouse-ingress']) {
    answers.push(await askAs(new URL(url).host, gateway));
  }
  await kubectl('delete', 'ksvc', 'hello', PATIENCE);
  return answers;
}

async function askAs(name: string, service: string): Promise<string> {
  const gateway = ['service', service, '--namespace', SYSTEM];
  const host = await kubectl('get', ...gateway, '--output', 'jsonpath={.spec.clusterIP}');
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host, headers: { host: name } }, resolve).on('error', reject);
  });
  return `${answer.statusCode} ${(await text(answer)).trim()}`;
}

/** The same model by another name, as an object of the cluster. Gives whether it came to be ready. */
async function tryObject(): Promise<string> {
  const pushed = await rouse('push', EMBED);
  const [source = ''] = /sha256:[0-9a-f]{64}/.exec(pushed) ?? [];
  const { revision } = MODEL.spec;
  const object = {
    ...MODEL,
    metadata: { name: 'embed-object', namespace: 'default' },
    spec: { ...MODEL.spec, revision: { ...revision, source } },
  };
  await writeFile(join(folder, 'object.json'), JSON.stringify(object));
  await kubectl('apply', '-f', join(folder, 'object.json'));
  const name = 'model/embed-object';
  await untilObject('--for=condition=Ready', name);
  const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
  const status = await kubectl('get', name, '--output', ready);
  await kubectl('delete', name, PATIENCE);
  return status;
}

async function makeKey(): Promise<string> {
  const inPod = ['exec', '--namespace', SYSTEM, 'deploy/rouse', '--'];
  return await kubectl(...inPod, 'rouse', 'key', 'create', '--role', 'admin');
}

async function use(): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  const begun = new Date().toISOString();
  await makeVolume();
  await install.apply({ image });
  await untilReady();
  process.env['ROUSE_KEY'] = await makeKey();
  for (const model of [MODEL, KEPT]) {
    const file = `${model.metadata.name}.yaml`;
    await writeFile(join(folder, file), JSON.stringify(model));
    await rouse('apply', '-f', file);
  }
  seen['answered'] = await ask();
  seen['model'] = await tryObject();
  seen['ingress'] = await tryIngress();
  await untilState('embed', 'Asleep');
  seen['woken'] = await ask();

  await untilState('kept', 'Awake');
  const pods = await podsOfKept();
  await upgrade();
  seen['upgraded'] = await controlOf();
  await untilState('kept', 'Awake');
  seen['kept'] = pods !== '' && (await podsOfKept()) === pods;
  await untilState('embed', 'Asleep');
  seen['after'] = await ask();
  for (const { metadata } of [MODEL, KEPT]) await rouse('delete', metadata.name);
  // Later, while all is removed, pods may outlive their rights.
  seen['forbidden'] = findForbidden(begun);
  seen['written'] = findWritten(begun, `${SYSTEM}:rouse`);
  seen['writtenByIngress'] = findWritten(begun, `${SYSTEM}:rouse-ingress`);
  return seen;
}

async function remove(): Promise<void> {
  await open?.close();
  await install.remove();
  await kubectl('delete', 'persistentvolume', `rouse-${how}`);
  await rm(folder, { recursive: true });
  await untagImage(CTR, NEWER);
}

const before = await listEverything();
const others = await strangers();
const seen = await use().catch(async (error: unknown) => {
  // What has gone wrong is told, whatever becomes of that.
  await remove().catch(() => undefined);
  throw error;
});
await remove();
let left: string[] = [];
await untilCluster('nothing is left', async () => {
  left = compare(before, await listEverything());
  return left.length === 0;
}).catch(() => undefined);
seen['left'] = left;
seen['untouched'] = (await strangers()) === others;
process.stdout.write(JSON.stringify(seen));
