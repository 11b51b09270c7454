import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');

test.each([
  [['exec'], 'exec needs a command, such as: exec kubectl get pods -A, or: exec bash'],
  [['add'], 'add needs a name; these can be added: rouse, helm, '],
  [['add', 'ruose'], 'ruose cannot be added; these can be added: rouse, helm, '],
  [['suite'], 'suite needs a name; there are: conformance-ingress, '],
  [['suite', 'confromance'], 'no suite confromance; there are: conformance-ingress, '],
])('%j: what is missing is said before a cluster is looked for', (args, said) => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
  expect(stderr.slice(0, said.length)).toBe(said);
  expect(status).toBe(1);
});
