import { say } from '../measure/results.ts';
import { ensureTool, TOOLS, versionOf } from './tools.ts';

/** Installs and builds all that the benchmarks run besides Rouse; ends with status 1 when one is not to be had. */

for (const name of TOOLS) {
  try {
    const path = await ensureTool(name, say);
    say(`${name} ${await versionOf(name)}: ${path}`);
  } catch (error) {
    say(`${name} is not to be had: ${String(error)}`);
    process.exitCode = 1;
  }
}
