import type { Command } from 'commander';
import { type EventAnswer, readEvents } from '#domain/read-views.ts';
import { formatDuration, formatTime } from '#domain/units.ts';
import { modelPath } from '../client.ts';
import type { Io } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf, parseCount } from '../options.ts';
import { print } from '../print.ts';

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
    ...(decided === undefined ? [] : [`decided: ${formatFacts(decided)}`]),
    ...(seen === undefined ? [] : [`seen: ${formatFacts(seen)}`]),
  ];
  const because = why.replaceAll(/\s*\n\s*/g, ' | ');
  return [formatTime(at), what, facts.length === 0 ? because : `${because}  (${facts.join('; ')})`];
}

/** What a decision and what was seen are called in the data, in words; the rest by its own name. */
const WORDS: Readonly<Record<string, (value: unknown) => string>> = {
  desired: (count) => `${String(count)} wanted`,
  asked: (count) => `${String(count)} asked for`,
  reason: (reason) => `because of ${String(reason)}`,
  // Of a rollout it is the revision that served before.
  stable: (load) =>
    typeof load === 'number' ? `mean load ${load} over 60 s` : formatFact('stable', load),
  panic: (load) => `${String(load)} over 6 s`,
  ready: (count) => `${String(count)} ready`,
  instances: (count) => `${String(count)} starting or ready`,
  parked: (count) => `${String(count)} parked`,
  parkedFor: (ms) => (ms === 0 ? '' : `the first for ${formatDuration(Number(ms))}`),
  queued: (count) => `${String(count)} waiting`,
  inFlight: (count) => `${String(count)} running`,
};

function formatFacts(facts: unknown): string {
  if (typeof facts !== 'object' || facts === null) return JSON.stringify(facts);
  return Object.entries(facts)
    .map(([name, value]) => WORDS[name]?.(value) ?? formatFact(name, value))
    .filter((words) => words !== '')
    .join(', ');
}

function formatFact(name: string, value: unknown): string {
  return `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`;
}
