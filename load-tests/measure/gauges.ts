import type { Rouse } from './rouse.ts';

/** The sum of all series of one metric whose labels have `labels` in them, as Rouse shows it now. */
export async function readGauge({ control }: Rouse, name: string, labels = ''): Promise<number> {
  return sumOf(await (await fetch(`${control}/metrics`)).text(), name, labels);
}

/** Instances by state, as control counts them. */
export async function countInstances({ control }: Rouse): Promise<{ ready: number; all: number }> {
  const text = await (await fetch(`${control}/metrics`)).text();
  const rows = [...text.matchAll(/^rouse_instances\{state="(\w+)"\} (\d+)$/gm)];
  const all = rows.reduce((sum, [, , count]) => sum + Number(count), 0);
  return { ready: Number(rows.find(([, state]) => state === 'ready')?.[2] ?? 0), all };
}

/** Of a text in Prometheus' format; 0 without a series. */
export function sumOf(text: string, name: string, labels = ''): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith(name) || !/^[{ ]/.test(line.slice(name.length))) continue;
    if (line.includes(labels)) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sum;
}
