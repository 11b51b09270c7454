import { readdir, readFile } from 'node:fs/promises';
import { COMPONENTS } from '#test/cluster/components.ts';
import { FILES, LOGS, partsOf, stateFolder } from '#test/cluster/folders.ts';
import { launch } from '#test/cluster/launch.ts';
import { type Plan, programOf } from '#test/cluster/plan.ts';

/** Components of the cluster, by programs that run in the box: there all processes are the cluster's. */

/** Sends a signal; resolves when it was sent. */
export async function signalComponent(name: string, signal: NodeJS.Signals): Promise<void> {
  process.kill(await findComponent(name), signal);
}

/** One that has ended is started again; resolves when it is ready. */
export async function startComponent(name: string): Promise<void> {
  const component = COMPONENTS.find((each) => each.name === name);
  if (!component) throw new Error(`no component ${name}`);
  const parts = partsOf(stateFolder(process.env));
  const plan = JSON.parse(await readFile(parts.plan, 'utf8')) as Plan;
  const launched = launch(component, {
    program: programOf(plan, name),
    logs: LOGS,
    env: { PATH: process.env['PATH'], HOME: '/run', TMPDIR: '/run' },
    authority: await readFile(`${FILES}/pki/ca.crt`, 'utf8'),
  });
  await launched.ready();
}

async function findComponent(name: string): Promise<number> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (line.split('\0')[0]?.endsWith(`/${name}`)) return Number(pid);
  }
  throw new Error(`${name} does not run`);
}
