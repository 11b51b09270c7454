import { createTraceBuilder, type Trace } from '#simulate/trace.ts';

export const MINUTE = 60_000;

/** A trace from the minutes in which each model is asked, for requests of no duration. */
export function makeTrace(
  minutes: Readonly<Record<string, readonly number[]>>,
  part: { until?: number; memory?: number; coldCost?: number } = {},
): Trace {
  const { until, memory = 1, coldCost = 1 } = part;
  const builder = createTraceBuilder();
  const names = Object.keys(minutes);
  names.forEach((name, model) => {
    for (const minute of minutes[name]!) builder.add(model, minute * MINUTE, minute * MINUTE);
  });
  const to = (until ?? Math.max(...Object.values(minutes).flat())) * MINUTE;
  const models = names.map((name) => ({ name, memory, coldCost }));
  return builder.finish(models, MINUTE, { from: 0, to });
}
