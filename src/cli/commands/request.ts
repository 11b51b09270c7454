import { Argument, type Command } from 'commander';
import { readAsyncRequest, readDelivery } from '#domain/read-views.ts';
import { deliveryId } from '#domain/async-request.ts';
import { formatTime } from '#domain/units.ts';
import { ROUSE } from '#lib/command.ts';
import { faultOf, namespacePath } from '../client.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common, namespaceOf } from '../options.ts';
import { print } from '../print.ts';

const ACTIONS = ['status', 'answer', 'cancel', 'replay'] as const;

export function addRequest(program: Command, io: Io): void {
  program
    .command('request')
    .description('an asynchronous request: what became of it')
    .argument('<id>', 'rq_…')
    .addArgument(new Argument('[action]', 'what to do').choices(ACTIONS).default('status'))
    .addHelpText(
      'after',
      `
status  its state
answer  what the model answered, as it came
cancel  it is not wanted any more
replay  sends its webhook again, which was given up
Example: ${ROUSE} get requests`,
    )
    .action(async (id: string, action: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      if (action === 'answer') await showAnswer(io, options, id);
      else if (action === 'replay') await replay(io, options, id);
      else await show(io, options, id, action === 'cancel' ? 'DELETE' : 'GET');
    });
}

async function show(io: Io, options: Common, id: string, method: 'GET' | 'DELETE'): Promise<void> {
  const path = namespacePath(namespaceOf(options), 'requests', id);
  const request = await clientFor(io, options).call({ method, path }, readAsyncRequest);
  const { model, state, status, attempts, createdAt, endedAt, reason } = request;
  print(io.stdout, options.output, request, () => [
    [id, status === undefined ? state : `${state}, answered with ${status}`],
    ['model', model],
    ['attempts', String(attempts)],
    ['came', formatTime(createdAt)],
    ...(endedAt === undefined ? [] : [['ended', formatTime(endedAt)]]),
    ...(reason === '' ? [] : [['why', reason]]),
  ]);
}

async function showAnswer(io: Io, options: Common, id: string): Promise<void> {
  const client = clientFor(io, options);
  const path = namespacePath(namespaceOf(options), 'requests', id, 'answer');
  const response = await client.send({ path, signal: io.signal });
  if (!response.ok) throw await faultOf(response, client.server);
  for await (const chunk of response.body ?? []) io.stdout.write(chunk);
}

async function replay(io: Io, options: Common, id: string): Promise<void> {
  const path = namespacePath(namespaceOf(options), 'deliveries', deliveryId(id));
  const call = { method: 'POST', path, json: { action: 'replay' } } as const;
  const delivery = await clientFor(io, options).call(call, readDelivery);
  print(io.stdout, options.output, delivery, () => [[delivery.id, delivery.state, delivery.url]]);
}
