import { describe, expect, test } from 'vitest';
import { revisionSpec } from '#domain/model.ts';
import type { Program } from '#runtime/local/process/group.ts';
import { misfitOf, refusalOf } from '#runtime/local/pool/fit.ts';

const standby: Program = {
  path: '/usr/bin/python3',
  args: ['serve.py'],
  cwd: '/work',
  environment: { PATH: '/bin', LANG: 'C', PYTHONUNBUFFERED: '1', PYTHONPYCACHEPREFIX: '/a' },
};

function program(environment: Record<string, string>, part: Partial<Program> = {}): Program {
  return {
    ...standby,
    cwd: '/elsewhere',
    environment: { ...standby.environment, ...environment },
    ...part,
  };
}

describe('a process that stands by is right for a program', () => {
  test.each([
    ['that is the same', program({}), undefined],
    ['with variables of its own', program({ LOG_LEVEL: 'debug', HOME: '/root' }), undefined],
    ['that says what the process has already', program({ LANG: 'C' }), undefined],
    ['with bytecode elsewhere', program({ PYTHONPYCACHEPREFIX: '/b' }), undefined],
    ['of another path', program({}, { path: '/venv/bin/python' }), 'program'],
    ['with other arguments', program({}, { args: ['serve.py', '-v'] }), 'program'],
    ['with fewer arguments', program({}, { args: [] }), 'program'],
    ['in another language', program({ LANG: 'de_DE.UTF-8' }), 'environment'],
    ['with something loaded first', program({ LD_PRELOAD: '/x.so' }), 'environment'],
    ['with buffers', program({ PYTHONUNBUFFERED: '' }), 'environment'],
    ['with its own number of threads', program({ OMP_NUM_THREADS: '4' }), 'environment'],
    ['without what the process has', { ...standby, environment: { PATH: '/bin' } }, 'environment'],
  ])('%s', (_, given, expected) => {
    expect(misfitOf(given, standby)).toBe(expected);
  });

  test('before its environment is made: by the names in the model file, and its Python', () => {
    const workload = (env: Record<string, string | { secret: string }>) => ({
      key: 'default/m/v1',
      spec: revisionSpec.parse({ runtime: 'python', source: 'app', env }),
    });
    const prepared = { ...standby, source: '/s', program: standby.path, variables: {} };
    expect(refusalOf(workload({ LOG_LEVEL: 'x' }), undefined, standby)).toBeUndefined();
    expect(refusalOf(workload({ LOG_LEVEL: 'x' }), prepared, standby)).toBeUndefined();
    expect(refusalOf(workload({ NODE_OPTIONS: { secret: 's' } }), prepared, standby)).toBe(
      'environment',
    );
    const own = { ...prepared, program: '/venv/bin/python' };
    expect(refusalOf(workload({}), own, standby)).toBe('program');
  });
});
