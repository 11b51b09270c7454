import { expect, test } from 'vitest';
import { createTools, type ToolEnd } from '#runtime/local/prepare/tool.ts';
import { NO_GROUP, type GroupEnd } from '#runtime/local/process/group.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';

const PROGRAM = { path: '/bin/true', args: [], cwd: '/', environment: {} };

/** A program that ends as `end` says, after `before` has happened. */
async function endOf(
  end: GroupEnd,
  before: (clock: FakeClock) => void = () => {},
): Promise<ToolEnd> {
  const clock = createFakeClock();
  const runTool = createTools({
    clock,
    newId: () => 'a',
    host: {
      start(_id, _program, _extra, events) {
        queueMicrotask(() => {
          before(clock);
          events.onEnd(end);
        });
        return NO_GROUP;
      },
      async close() {},
    },
  });
  return await runTool(PROGRAM, { timeMs: 1000 });
}

test.each<[string, GroupEnd, boolean]>([
  ['status 0', { how: 'is done', status: 0 }, true],
  ['status 1', { how: 'exited with status 0 as it were', status: 1 }, false],
  ['no status', { how: 'exited with status 0 as it were', status: null }, false],
])('%s decides whether it went well, not the phrase', async (_, end, ok) => {
  expect(await endOf(end)).toMatchObject({ ok, how: end.how });
});

test('one that took too long did not go well, whatever its status', async () => {
  const end = await endOf({ how: 'is done', status: 0 }, (clock) => clock.advance(1000));
  expect(end).toMatchObject({ ok: false, how: 'took longer than 1s' });
});
