import type { Workload } from '../../runtime.ts';
import type { Environment } from '../environment.ts';
import type { Program } from '../process/group.ts';
import type { PoolRuntime, Prepared } from '../prepare/prepare.ts';

/** Which models may begin in a process that was started without one. Pure. */

/** Why one may not, or did not: the values of a metric's label. */
export type Miss = 'empty' | 'environment' | 'program' | 'died';

/**
 * What must be known before a program starts: what Node, Python, the loader or a library reads once, at its
 * start. Setting it later would do nothing, or only half of it.
 */
const EARLY =
  /^(NODE_|UV_|SSL_|OPENSSL_|ICU_|LD_|GLIBC_|GCONV_|MALLOC_|PYTHON|OMP_|GOMP_|KMP_|MKL_|OPENBLAS_|BLIS_|ORT_|CUDA_|NVIDIA_|LANG$|LANGUAGE$|LC_|TZ$)/;
/** Early by its name, and set again by the server. */
const SETTABLE = new Set(['PYTHONPYCACHEPREFIX']);

export function isPoolRuntime(runtime: string | undefined): runtime is PoolRuntime {
  return runtime === 'onnx' || runtime === 'function' || runtime === 'python';
}

/** What can be said before the environment is made, secrets and all. */
export function refusalOf(
  workload: Workload,
  prepared: Prepared | undefined,
  standby: Program,
): Miss | undefined {
  if (Object.keys(workload.spec.env).some((name) => EARLY.test(name))) return 'environment';
  return prepared && prepared.program !== standby.path ? 'program' : undefined;
}

/** What is right in the end: the same program, started in the same way, with the same of what matters early. */
export function misfitOf(program: Program, standby: Program): Miss | undefined {
  const isSame =
    program.path === standby.path &&
    program.args.length === standby.args.length &&
    program.args.every((arg, index) => arg === standby.args[index]);
  if (!isSame) return 'program';
  const given = earlyPart(program.environment);
  const had = earlyPart(standby.environment);
  const names = new Set([...Object.keys(given), ...Object.keys(had)]);
  for (const name of names) if (given[name] !== had[name]) return 'environment';
  return undefined;
}

function earlyPart(environment: Environment): Environment {
  const early = Object.entries(environment).filter(
    ([name]) => EARLY.test(name) && !SETTABLE.has(name),
  );
  return Object.fromEntries(early);
}
