import { until } from '#test/until.ts';
import { signalComponent, startComponent } from './inside/components.ts';
import { killAutoscaler, kubectl } from './inside/kubectl.ts';
import { type Answer, beginPlatform, type InsidePlatform } from './inside/platform.ts';

/** Run in the box: one fault, by name; prints as JSON what callers and users saw. */

type Scenario = (platform: InsidePlatform) => Promise<unknown>;

const AWAY_MS = 60_000;
/** So that what is idle sleeps in seconds. */
const BRIEF = { idle: '1s' };

const words = ({ status, code, detail }: Answer): string => `${status} ${code} ${detail}`;
const statusOf = ({ status }: Answer): number => status;

/** Models of both kinds: one that is kept, one that sleeps. */
async function makeBoth(platform: InsidePlatform): Promise<void> {
  await platform.apply('warm');
  await platform.apply('cold', BRIEF);
  await platform.ask('warm');
  await platform.untilAsleep('cold');
}

/** Every answer that a warm model gives until something is over. */
async function askMeanwhile(platform: InsidePlatform, over: Promise<unknown>): Promise<number[]> {
  const seen = new Set<number>();
  let isOver = false;
  void over.finally(() => {
    isOver = true;
  });
  while (!isOver) seen.add(statusOf(await platform.ask('warm')));
  return [...seen];
}

async function apiServerAway(platform: InsidePlatform): Promise<unknown> {
  await makeBoth(platform);
  await signalComponent('kube-apiserver', 'SIGKILL');
  const held = platform.ask('cold');
  const told = platform.ask('cold', { hold: '15s' });
  const over = new Promise((resolve) => {
    setTimeout(resolve, AWAY_MS);
  });
  const warm = await askMeanwhile(platform, over);
  await startComponent('kube-apiserver');
  const answer = await held;
  const made = await platform.apply('late');
  return {
    warm,
    told: words(await told),
    held: answer.status,
    made: made.status,
    asked: statusOf(await platform.ask('late')),
    events: (await platform.events('cold')).filter((event) => event.startsWith('InstanceWaiting')),
  };
}

async function autoscalerKilled(platform: InsidePlatform): Promise<unknown> {
  await makeBoth(platform);
  const killed = killAutoscaler();
  const held = platform.ask('cold');
  const warm = await askMeanwhile(platform, Promise.all([killed, held]));
  await platform.untilAsleep('cold');
  return { warm, held: statusOf(await held), again: statusOf(await platform.ask('cold')) };
}

async function etcdSlow(platform: InsidePlatform): Promise<unknown> {
  await makeBoth(platform);
  await signalComponent('etcd', 'SIGSTOP');
  const held = platform.ask('cold');
  const told = platform.ask('cold', { hold: '5s' });
  const warm = await askMeanwhile(platform, told);
  await signalComponent('etcd', 'SIGCONT');
  return { warm, told: statusOf(await told), held: statusOf(await held) };
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  apiServerAway,
  autoscalerKilled,
  etcdSlow,
};

const [, , name = ''] = process.argv;
const platform = await beginPlatform();
try {
  const seen = await SCENARIOS[name]?.(platform);
  process.stdout.write(`${JSON.stringify(seen)}\n`);
} catch (error) {
  process.stderr.write(platform.output());
  throw error;
} finally {
  for (const model of ['warm', 'cold', 'late']) await platform.rouse('delete', model);
  await platform.close();
  await until('all is gone', async () => (await kubectl('get', 'ksvc', '--output', 'name')) === '');
}
