import { Fault, type FaultCode, type Problem, messageOf } from '#lib/fault.ts';

/** The API server's answers that are no success, as Faults whose messages say what would help. */

/** A `Status` of the Kubernetes API, as far as it is read. */
interface Status {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly name?: string;
    readonly kind?: string;
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly {
      readonly reason?: string;
      readonly message?: string;
      readonly field?: string;
    }[];
  };
}

export interface Refusal {
  readonly status: number;
  readonly body: string;
  /** What was asked for, such as `services.serving.knative.dev digits in namespace shop`. */
  readonly what: string;
}

/** Of a list or a watch: what it continues from is too old to be known. */
export const GONE = 410;

const DENIED = /^admission webhook "([^"]+)" denied the request(?:: (.*))?$/s;
const UNREACHED = /^(?:Internal error occurred: )?failed calling webhook "([^"]+)": (.*)$/s;
const LONGEST_MESSAGE = 2000;

export function makeKubeFault(refusal: Refusal): Fault {
  const status = parseStatus(refusal.body);
  const { code, message } = classify(refusal, status);
  const retryAfter = status?.details?.retryAfterSeconds;
  return new Fault(code, message.slice(0, LONGEST_MESSAGE), {
    problems: code === 'invalid' ? problemsOf(status) : [],
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

/** Of a request that got no answer. */
export function makeAwayFault(error: unknown): Fault {
  const isNamed = error instanceof Error && 'code' in error && error.message === '';
  const why = isNamed && typeof error.code === 'string' ? error.code : messageOf(error);
  return new Fault('unavailable', `the API server of the cluster does not answer: ${why}`, {
    cause: error,
  });
}

/** Of a request that got no answer for so long. */
export function makeLateFault(ms: number): Fault {
  const message = `the API server of the cluster has not answered within ${ms / 1000}s`;
  return new Fault('unavailable', message);
}

interface Verdict {
  readonly code: FaultCode;
  readonly message: string;
}

function classify({ status, body, what }: Refusal, told: Status | undefined): Verdict {
  const said = told?.message ?? body.trim();
  const denied = DENIED.exec(said);
  if (denied) {
    return {
      code: 'invalid',
      message: `${what}: refused by webhook ${denied[1]}: ${denied[2] ?? ''}`,
    };
  }
  const unreached = UNREACHED.exec(said);
  if (unreached) {
    const message = `${what}: webhook ${unreached[1]} of the cluster does not work: ${unreached[2]}`;
    return { code: 'unavailable', message };
  }
  switch (status) {
    case 401:
      return {
        code: 'unavailable',
        message: `the cluster does not know Rouse's credentials: ${said}`,
      };
    case 403:
      return classifyForbidden(what, said, told);
    case 404:
      return classifyMissing(what, said, told);
    case 409:
      return { code: 'conflict', message: describeConflict(what, said, told) };
    case 400:
    case 422:
      return { code: 'invalid', message: `${what}: the cluster refuses it: ${said}` };
    default:
      return { code: 'unavailable', message: `${what}: the cluster answers ${status}: ${said}` };
  }
}

function classifyForbidden(what: string, said: string, told: Status | undefined): Verdict {
  if (said.includes('exceeded quota')) {
    return {
      code: 'unavailable',
      message: `${what}: the quota of its namespace is used up: ${said}`,
    };
  }
  if (told?.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating')) {
    return { code: 'conflict', message: `${what}: its namespace is being deleted` };
  }
  return { code: 'forbidden', message: `the cluster does not let Rouse: ${said}` };
}

/** An object that is not there, a namespace, or a whole kind of objects. */
function classifyMissing(what: string, said: string, told: Status | undefined): Verdict {
  if (told?.details?.kind === 'namespaces') {
    const message = `namespace ${told.details.name} does not exist in the cluster`;
    return { code: 'not_found', message };
  }
  if (told?.details?.name !== undefined) return { code: 'not_found', message: said };
  const kind = what.split(' ', 1)[0] ?? '';
  const expected = kind.endsWith('.rouse.dev')
    ? "Rouse's definition of it, knative/install/models, applied"
    : 'Knative Serving, installed and ready';
  const message = `the cluster has no ${kind}: expected ${expected}`;
  return { code: 'unavailable', message };
}

function describeConflict(what: string, said: string, told: Status | undefined): string {
  const rivals = told?.details?.causes?.filter(({ reason }) => reason === 'FieldManagerConflict');
  if (rivals === undefined || rivals.length === 0) return `${what}: ${said}`;
  const fields = rivals.map(({ field, message }) => `${field} (${message})`).join(', ');
  return `${what}: set by others, too: ${fields}`;
}

function problemsOf(told: Status | undefined): Problem[] {
  const causes = told?.details?.causes ?? [];
  return causes.map(({ field = '', message = '' }) => ({
    key: field,
    value: '',
    expected: message,
  }));
}

function parseStatus(body: string): Status | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return isStatus(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status';
}
