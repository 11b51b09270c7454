import { expect, test } from 'vitest';
import { helperEnvironment } from '#runtime/local/environment.ts';

test('helper processes know where their code is ready, and nothing else of what Rouse was started with', () => {
  const own = { PATH: '/bin', API_KEY: 'secret', NODE_OPTIONS: '--inspect' };
  expect(helperEnvironment(own)).toEqual({});
  expect(helperEnvironment({ ...own, NODE_COMPILE_CACHE: '/c' })).toEqual({
    NODE_COMPILE_CACHE: '/c',
  });
});
