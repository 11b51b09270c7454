import { expect, test } from 'vitest';
import { callEach } from '#lib/listeners.ts';
import { silentLog } from '#lib/log.ts';

test('a listener that throws is logged and keeps nothing from the others', () => {
  const heard: string[] = [];
  const logged: unknown[] = [];
  const log = Object.assign(Object.create(silentLog), {
    error: (...entry: unknown[]) => void logged.push(entry),
  });
  const throwing = (): void => {
    throw new Error('a bug');
  };
  const hearing = (by: string) => (news: string) => void heard.push(`${by}: ${news}`);
  callEach([hearing('first'), throwing, hearing('last')], 'news', log);
  expect(heard).toEqual(['first: news', 'last: news']);
  expect(logged).toEqual([[{ error: 'a bug' }, 'a listener failed']]);
});
