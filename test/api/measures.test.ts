import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  ADMIN,
  COMMAND,
  JSON_TYPE,
  makeModel,
  modelPath,
  startServer,
  type TestServer,
} from './server.ts';

const DAY_MS = 86_400_000;

let server: TestServer;
let path = '';
let count = 0;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.close();
});
beforeEach(async () => {
  const name = `m${count++}`;
  await server.useCases.applyModel(ADMIN, makeModel(name, COMMAND));
  path = modelPath(name, '/measures');
});

async function post(...measures: readonly unknown[]) {
  const body = JSON.stringify({ measures });
  return await server.send({ method: 'POST', path, headers: JSON_TYPE, body });
}

async function items(query = ''): Promise<Record<string, unknown>[]> {
  return JSON.parse((await server.send({ path: `${path}${query}` })).text).items;
}

describe('what was measured', () => {
  test('comes back added up', async () => {
    const answer = await post(
      { revision: 'v1', name: 'accuracy', value: 0.5, count: 10 },
      { revision: 'v1', label: 3, prediction: '3' },
      { revision: 'v1', label: 'cat', prediction: 'dog' },
      { name: 'input.age', histogram: { bounds: [10, 20], counts: [1, 0, 2] } },
    );
    expect([answer.status, answer.json()]).toEqual([200, { added: 4, repeated: 0 }]);
    const [age, accuracy, ...more] = await items();
    expect(more).toEqual([]);
    expect(accuracy).toMatchObject({ revision: 'v1', name: 'accuracy', count: 12, sum: 6 });
    expect(accuracy).toMatchObject({ low: 0, high: 1, sumSquares: 6 });
    expect(age).toMatchObject({
      name: 'input.age',
      count: 3,
      points: [
        [10, 1],
        [30, 2],
      ],
    });
    expect(age).not.toHaveProperty('revision');
    expect(await items('?name=accuracy&revision=v1')).toEqual([accuracy]);
    expect(await items('?from=0&to=1')).toEqual([]);
  });

  test('late and twice it counts once, in its own minute', async () => {
    const at = Date.now() - 3 * DAY_MS;
    const late = { id: 'r1', revision: 'v1', label: 1, prediction: 1, at };
    expect((await post(late)).json()).toEqual({ added: 1, repeated: 0 });
    expect((await post(late, { ...late, id: 'r2' })).json()).toEqual({ added: 1, repeated: 1 });
    const minute = Math.floor(at / 60_000);
    expect(await items(`?from=${minute}&to=${minute}`)).toMatchObject([{ minute, count: 2 }]);
  });

  test('a page tells where the next one begins', async () => {
    await post(
      { name: 'a', value: 1 },
      { name: 'b', value: 2 },
      { revision: 'v1', name: 'c', value: 3 },
    );
    const first = (await server.send({ path: `${path}?limit=2` })).json();
    expect(first['items']).toMatchObject([{ name: 'a' }, { name: 'b' }]);
    const next = encodeURIComponent(String(first['next']));
    expect(await items(`?limit=2&after=${next}`)).toMatchObject([{ name: 'c' }]);
    expect((await server.send({ path: `${path}?after=x` })).status).toBe(400);
  });
});

test.each([
  [{ revision: 'v9', name: 'a', value: 1 }, 'measures[0].revision', 'a revision of the model: v1'],
  [{ name: 'a', value: 1, at: 1 }, 'measures[0].at', 'a time within the last 168h'],
  [{ name: 'a', value: 1, at: 0 }, 'measures[0].at', 'a time within the last 168h'],
  [{ name: 'a', value: 1, at: 1e14 }, 'measures[0].at', 'no time to come'],
  [{ name: 'a' }, 'measures[0]', 'a value, or a label and a prediction, or a histogram'],
  [{ name: 'a', value: 1, label: 1, prediction: 1 }, 'measures[0]', 'a value, or a label'],
  [{ label: 1 }, 'measures[0].prediction', 'what the model said'],
  [{ prediction: 1 }, 'measures[0].label', 'what was right'],
  [{ value: 1 }, 'measures[0].name', 'what was measured'],
  [{ name: '1a', value: 1 }, 'measures[0].name', 'a name such as accuracy'],
  [{ name: 'a', value: 1e101 }, 'measures[0].value', 'at most'],
  [{ name: 'a', value: 3, count: 2 }, 'measures[0].deviation', 'the standard deviation'],
  [{ label: 1, prediction: 1, count: 2 }, 'measures[0].count', 'only with the value'],
  [
    { name: 'a', histogram: { bounds: [1, 1], counts: [1, 2, 3] } },
    'measures[0].histogram.bounds[1]',
    'more than the bound before',
  ],
  [
    { name: 'a', histogram: { bounds: [1], counts: [0, 0, 1] } },
    'measures[0].histogram.counts',
    '2 counts',
  ],
  [
    { name: 'a', histogram: { bounds: [1], counts: [0, 0] } },
    'measures[0].histogram.counts',
    'a count that is not 0',
  ],
])('%j is refused', async (measure, key, expected) => {
  const answer = await post(measure);
  expect(answer.status).toBe(422);
  const [problem] = JSON.parse(answer.text).problems;
  expect(problem.key).toBe(key);
  expect(problem.expected).toContain(expected);
  expect(await items()).toEqual([]);
});

test('more than a thousand at once are refused, and none is counted', async () => {
  const measure = { name: 'a', value: 1 };
  const answer = await post(...Array.from({ length: 1001 }, () => measure));
  expect([answer.status, await items()]).toEqual([422, []]);
  expect((await post()).status).toBe(422);
});

test('who may invoke may tell, who may only read may look', async () => {
  const locked = await startServer({ requireKey: true });
  try {
    await locked.useCases.applyModel(ADMIN, makeModel('m', COMMAND));
    const to = modelPath('m', '/measures');
    const body = JSON.stringify({ measures: [{ name: 'a', value: 1 }] });
    const status = async (role: 'invoke' | 'read', method: 'GET' | 'POST') => {
      const { secret } = await locked.useCases.createKey(ADMIN, role, '');
      const headers = { ...JSON_TYPE, authorization: `Bearer ${secret}` };
      return (await locked.send({ method, path: to, headers, ...(method === 'POST' && { body }) }))
        .status;
    };
    expect(await status('invoke', 'POST')).toBe(200);
    expect(await status('read', 'POST')).toBe(403);
    expect(await status('read', 'GET')).toBe(200);
  } finally {
    await locked.close();
  }
});

test('of a model that is not there', async () => {
  path = modelPath('nowhere', '/measures');
  expect((await post({ name: 'a', value: 1 })).status).toBe(404);
  expect((await server.send({ path })).status).toBe(404);
});
