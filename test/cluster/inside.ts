import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { API, BASE, type Component, COMPONENTS, NODE } from './components.ts';
import { makeDnsManifests } from './dns.ts';
import { FILES, LOGS } from './folders.ts';
import { makeProgramImage } from './images.ts';
import { importImages } from './import-image.ts';
import { installKnative, KNATIVE_NAMESPACE, untilKnative } from './knative.ts';
import { applyManifests, createKubectl, type Kubectl, untilCondition } from './kubectl.ts';
import { launch, type Launched } from './launch.ts';
import { NETWORK, NETWORK_SETTINGS, NODE_NAME } from './network.ts';
import { type Plan, programOf } from './plan.ts';
import { isReady } from './probe.ts';

/** What happens in the box: its network is the cluster's, and folders of the cluster stand in for the machine's. */

type Say = (text: string) => void;

const NODE_SECONDS = 90;
const run = promisify(execFile);

/** Makes a cluster in a new box. Rejects with the component that failed and the end of its log. */
export async function bringUp(plan: Plan, say: Say): Promise<void> {
  await prepareBox(programOf(plan, 'ip'));
  const kubectl = createPlanKubectl(plan);
  const authority = await readAuthority();
  const launched: Launched[] = [];
  /** While something is waited for, all that was started has to go on running. */
  const step = async (what: string, work: Promise<unknown>): Promise<void> => {
    await Promise.race([work, ...launched.map(({ ended }) => ended)]);
    say(what);
  };
  const start = async (components: readonly Component[]): Promise<void> => {
    const started = components.map((component) => launchOf(plan, component, authority));
    launched.push(...started);
    const names = components.map(({ name }) => name).join(', ');
    await step(`${names}: ready`, Promise.all(started.map(({ ready }) => ready())));
  };

  await start(BASE);
  // Kubelet must find them: there is no registry where it could ask for what is missing.
  const imported = step('images: imported', importAll(plan));
  await Promise.all([imported, start(API)]);
  await step('DNS: applied', applyManifests(kubectl, makeDnsManifests()));
  await Promise.all([
    start(NODE).then(() => step('node: Ready', untilNode(kubectl))),
    step('Knative: applied', installKnative(kubectl, plan.modules)),
  ]);
  await step('Knative: available', untilKnative(kubectl));
}

/** Prints what runs in the box. Resolves with whether all of it is well. */
export async function showStatus(plan: Plan, say: Say): Promise<boolean> {
  const authority = await readAuthority();
  const ready = await Promise.all(COMPONENTS.map((one) => isReady(one.ready, authority)));
  for (const [index, { name }] of COMPONENTS.entries()) {
    say(`${ready[index] ? 'ready    ' : 'not ready'}  ${name}`);
  }
  const kubectl = createPlanKubectl(plan);
  say((await kubectl(['get', 'nodes'])).trimEnd());
  say((await kubectl(['get', 'pods', '--namespace', KNATIVE_NAMESPACE])).trimEnd());
  return ready.every(Boolean);
}

async function prepareBox(ip: string): Promise<void> {
  for (const args of NETWORK) await run(ip, args);
  for (const [name, value] of Object.entries(NETWORK_SETTINGS)) {
    writeFileSync(join('/proc/sys', name), value);
  }
  mkdirSync(LOGS, { recursive: true });
}

function launchOf(plan: Plan, component: Component, authority: string): Launched {
  return launch(component, {
    program: programOf(plan, component.name),
    logs: LOGS,
    // Nothing of the caller's environment, such as a proxy, is the cluster's.
    env: { PATH: process.env['PATH'], HOME: '/run', TMPDIR: '/run' },
    authority,
  });
}

async function importAll(plan: Plan): Promise<void> {
  const ctr = [programOf(plan, 'ctr')];
  for (const [name, program] of Object.entries(plan.images)) {
    await importImages(ctr, [await makeProgramImage(name, program)]);
  }
}

async function untilNode(kubectl: Kubectl): Promise<void> {
  await untilCondition(kubectl, 'Ready', [`node/${NODE_NAME}`], NODE_SECONDS);
}

function createPlanKubectl(plan: Plan): Kubectl {
  return createKubectl([programOf(plan, 'kubectl')]);
}

async function readAuthority(): Promise<string> {
  return await readFile(`${FILES}/pki/ca.crt`, 'utf8');
}
