import { kubectl } from './kubectl.ts';

/** A pod in the place of Knative's activator that runs. */
export interface ActivatorPod {
  readonly name: string;
  readonly ip: string;
}

const METRICS = 9090;
const DEPTH = /^rouse_queue_depth\{.*\} (\d+)$/gm;

export async function findActivators(): Promise<ActivatorPod[]> {
  const pods = ['pods', '--namespace', 'knative-serving', '--selector', 'app=activator'];
  const path = '{range .items[*]}{.metadata.name} {.status.podIP}{"\\n"}{end}';
  const running = ['--field-selector', 'status.phase=Running', '--output', `jsonpath=${path}`];
  const lines = (await kubectl('get', ...pods, ...running)).split('\n');
  return lines.flatMap((line) => {
    const [name = '', ip = ''] = line.split(' ');
    return ip === '' ? [] : [{ name, ip }];
  });
}

/** How many requests wait there now, by its metrics. Only ours has them. */
export async function heldBy({ ip }: ActivatorPod): Promise<number> {
  const text = await (await fetch(`http://${ip}:${METRICS}/metrics`)).text();
  return [...text.matchAll(DEPTH)].reduce((sum, [, depth]) => sum + Number(depth), 0);
}
