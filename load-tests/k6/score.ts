import { check } from 'k6';
import http from 'k6/http';

const url = `${__ENV['TARGET']}/v2/models/${__ENV['MODEL']}/infer`;
const headers = { 'content-type': 'application/json' };

/** What Rouse says of an answer. */
export interface Scored {
  readonly right: boolean;
  readonly revision: string | undefined;
  readonly cold: boolean;
}

/** Sends one number to the model, which gives it back. */
export function score(number: number): Scored {
  const inputs = [{ name: 'x', datatype: 'FP64', shape: [1], data: [number] }];
  const answer = http.post(url, JSON.stringify({ inputs }), { headers });
  const right = check(answer, {
    'answered with 200': ({ status }) => status === 200,
    'its own answer': ({ status, body }) => status === 200 && outputOf(body) === number,
  });
  return {
    right,
    revision: answer.headers['Rouse-Revision'],
    cold: answer.headers['Rouse-Cold-Start'] === 'true',
  };
}

interface Output {
  readonly outputs: readonly { readonly data: readonly number[] }[];
}

function outputOf(body: string): number | undefined {
  const { outputs }: Output = JSON.parse(body);
  return outputs[0]?.data[0];
}
