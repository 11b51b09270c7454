import { mapColumns } from '#batch/rows/map.ts';
import { openRows } from '#batch/rows/open-rows.ts';
import { packInput } from '#batch/rows/pack.ts';

/**
 * Reads `location` as the runner does, and says how many rows there were, their sum, how long it took, and the most
 * memory that this process had.
 */
const [location = '', width = '64'] = process.argv.slice(2);
const started = performance.now();
const source = await openRows({
  location,
  folder: `${location}.fetched`,
  fetch: { maxBytes: 0, privateHosts: false },
});
const features = source.columns.filter(({ name }) => name !== 'id');
const map = mapColumns(features, [{ name: 'x', datatype: 'FP32', shape: [-1, Number(width)] }]);
let rows = 0;
let sum = 0;
for await (const batch of source.read(0, 4096, map.reads)) {
  rows += batch.length;
  for (const input of map.inputs) sum += Number(packInput(input, batch).data[0]);
}
await source.close();
const ms = performance.now() - started;
console.log(JSON.stringify({ rows, sum, ms, bytes: process.resourceUsage().maxRSS * 1024 }));
