import { Counter } from 'k6/metrics';
import execution from 'k6/execution';
import { score } from './score.ts';

/** A list that is scored by one model, from zero: it ends when every item has its own answer. */

const ITEMS = 20_000;
const scored = new Counter('scored');

export const options = {
  scenarios: {
    batch: { executor: 'shared-iterations', exec: 'batch', vus: 32, iterations: ITEMS },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    scored: [`count==${ITEMS}`],
  },
};

export function batch(): void {
  if (score(execution.scenario.iterationInTest).right) scored.add(1);
}
