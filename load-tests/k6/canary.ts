import { Rate } from 'k6/metrics';
import execution from 'k6/execution';
import { score } from './score.ts';

/** A canary under load: with a split of 90 and 10 percent, every tenth request is the canary's, to the request. */

const canary = new Rate('canary');

export const options = {
  scenarios: {
    canary: { executor: 'shared-iterations', exec: 'split', vus: 20, iterations: 10_000 },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    canary: ['rate>=0.0999', 'rate<=0.1001'],
  },
};

export function split(): void {
  canary.add(score(execution.scenario.iterationInTest).revision === 'v2');
}
