import { Argument, type Command } from 'commander';
import { readRollout, type RolloutAnswer } from '#domain/read-views.ts';
import { ROLLOUT_ACTIONS } from '#domain/rollout.ts';
import { formatTime } from '#domain/units.ts';
import { ROUSE } from '#lib/command.ts';
import { modelPath } from '../client.ts';
import type { Io } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf } from '../options.ts';
import { print } from '../print.ts';

export function addRollout(program: Command, io: Io): void {
  program
    .command('rollout')
    .description('how a new revision takes over, step by step')
    .argument('<name>', 'the model')
    .addArgument(
      new Argument('[action]', 'what to do')
        .choices(['status', ...ROLLOUT_ACTIONS])
        .default('status'),
    )
    .addHelpText(
      'after',
      `
pause    no further step; it is still rolled back if it is worse
resume   go on
skip     the next step now, whatever was seen
abort    back to the revision that served before
promote  all requests to the new one now, whatever was seen
One that has ended takes none of these: \`${ROUSE} traffic\` says who serves.
Example: ${ROUSE} rollout digits pause`,
    )
    .action(async (name: string, action: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const path = modelPath(namespaceOf(options), name, 'rollout');
      const client = modelClientFor(io, options, name);
      const wanted = action === 'status' ? {} : { method: 'POST' as const, json: { action } };
      const rollout = await client.call({ path, ...wanted }, readRollout);
      print(io.stdout, options.output, rollout, () => makeRows(name, rollout));
    });
}

function makeRows(name: string, rollout: RolloutAnswer): string[][] {
  const { phase, stable, canary, percent, step, steps, startedAt, lookedAt, why } = rollout;
  const isOpen = phase === 'Running' || phase === 'Paused';
  const at = isOpen ? `, step ${step + 1} of ${steps.length} (${steps.join(', ')} %)` : '';
  return [
    [name, `${phase}${at}`],
    ['new', `${canary} ${percent} %`],
    ['before', `${stable} ${100 - percent} %`],
    ['began', formatTime(startedAt)],
    ['looked', formatTime(lookedAt)],
    ['why', why],
  ];
}
