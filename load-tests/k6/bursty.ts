import { Counter } from 'k6/metrics';
import execution from 'k6/execution';
import { score } from './score.ts';

/** An endpoint that is called in bursts: between them it falls asleep, and nobody's request may fail for it. */

const cold = new Counter('cold_requests');
const RATE = 200;
const BURST = [
  { target: RATE, duration: '0s' },
  { target: RATE, duration: '3s' },
  { target: 0, duration: '0s' },
  // Longer than the model is kept.
  { target: 0, duration: '4s' },
];

export const options = {
  scenarios: {
    bursty: {
      executor: 'ramping-arrival-rate',
      exec: 'bursty',
      startRate: 0,
      timeUnit: '1s',
      preAllocatedVUs: 400,
      stages: [...BURST, ...BURST, ...BURST],
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    dropped_iterations: ['count==0'],
    // Each burst finds it asleep.
    cold_requests: ['count>=3'],
  },
};

export function bursty(): void {
  if (score(execution.scenario.iterationInTest).cold) cold.add(1);
}
