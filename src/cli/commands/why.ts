import type { Command } from 'commander';
import { type EventAnswer, readEvents } from '#domain/read-views.ts';
import { modelPath } from '../client.ts';
import type { Io } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf, parseCount } from '../options.ts';
import { formatTime, print } from '../print.ts';

export function addWhy(program: Command, io: Io): void {
  program
    .command('why')
    .description('what was seen and decided about a model, newest first')
    .argument('<name>', 'the model')
    .option('--limit <count>', 'how many events', parseCount, 50)
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Common & { limit: number }>();
      const path = modelPath(namespaceOf(options), name, 'events');
      const query = { newest: 'true', limit: options.limit };
      const { items } = await modelClientFor(io, options, name).call({ path, query }, readEvents);
      print(io.stdout, options.output, items, () => items.map(makeRow));
    });
}

/** Time, decision, because, (seen …). */
function makeRow(event: EventAnswer): string[] {
  const { at, type, revision, why, data } = event;
  const what = revision === undefined ? type : `${type} ${revision}`;
  const decided = data?.['decision'];
  const seen = data?.['seen'];
  const facts = [
    ...(decided === undefined ? [] : [`decided ${formatFacts(decided)}`]),
    ...(seen === undefined ? [] : [`seen ${formatFacts(seen)}`]),
  ];
  const because = why.replaceAll(/\s*\n\s*/g, ' | ');
  return [formatTime(at), what, facts.length === 0 ? because : `${because}  (${facts.join('; ')})`];
}

function formatFacts(facts: unknown): string {
  if (typeof facts !== 'object' || facts === null) return JSON.stringify(facts);
  return Object.entries(facts)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}
