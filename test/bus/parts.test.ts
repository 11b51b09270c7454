import { expect, test } from 'vitest';
import { joinParts, sendParts } from '#bus/parts.ts';
import type { Delta, Snapshot } from '#bus/messages.ts';
import { Fault } from '#lib/fault.ts';
import { modelOf } from './routing.ts';

type Part = Snapshot | Delta;

/** A link that carries so many letters of JSON. */
function createNarrowLink(letters: number) {
  const sent: Part[] = [];
  return {
    sent,
    send(message: Part): void {
      if (JSON.stringify(message).length > letters) throw new Fault('too_large', 'too long');
      sent.push(message);
    },
  };
}

const delta = (names: readonly string[], platform = ''): Delta => ({
  type: 'delta',
  epoch: 'e',
  version: 3,
  models: names.map((name) => modelOf(name, 1, platform)),
  removedModels: ['default/gone'],
});

test('parts are as small as the link wants them, all but the last say that more comes', () => {
  const names = Array.from({ length: 100 }, (_, at) => `m${at}`);
  const link = createNarrowLink(2000);
  sendParts(link, delta(names), () => expect.unreachable());
  expect(link.sent.length).toBeGreaterThan(20);
  expect(link.sent.map(({ more }) => more === true)).toEqual(
    link.sent.map((_, at) => at < link.sent.length - 1),
  );
  const joined = joinParts(link.sent);
  expect(joined.models.map(({ name }) => name)).toEqual(names);
  expect(joined.removedModels).toEqual(['default/gone']);
});

test('what no link could carry is left out and told, the rest arrives', () => {
  const link = createNarrowLink(2000);
  const left: string[] = [];
  const { models } = delta(['a', 'b', 'c']);
  const huge = modelOf('huge', 1, 'x'.repeat(5000));
  const message = { ...delta([]), models: [...models!.slice(0, 2), huge, ...models!.slice(2)] };
  sendParts(link, message, (why) => void left.push(why));
  expect(left).toEqual(['too long']);
  expect(joinParts(link.sent).models.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  expect(link.sent.at(-1)?.more).toBeUndefined();
});

test('another error is not taken for a message that is too large', () => {
  const link = {
    send: () => {
      throw new Fault('internal', 'broken');
    },
  };
  expect(() => sendParts(link, delta(['a', 'b']), () => {})).toThrow('broken');
});
