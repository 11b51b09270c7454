import type { Inspection } from './records.ts';

/**
 * How a model server of ours is started: the contract between the local runtime (which spawns) and
 * `functions/serve.ts`, `functions/inspect.ts` and `functions/python/serve.py` (which are spawned).
 * Everything is in the environment, so that a command line never shows it.
 */

/** The Unix socket to listen on. */
export const ENV_SOCKET = 'ROUSE_SOCKET';
/**
 * A file descriptor to write one line of JSON to when requests can be taken, then close it:
 * a `ReadyLine`. After an error the server exits with status 1.
 */
export const ENV_READY_FD = 'ROUSE_READY_FD';
/** `onnx` or `function` (for `functions/serve.ts` and `functions/inspect.ts`). */
export const ENV_KIND = 'ROUSE_KIND';
/** Path of the materialized artifact. */
export const ENV_SOURCE = 'ROUSE_SOURCE';
/** What is known of the model, as JSON: from its file, or from what its server said before. */
export const ENV_INSPECTION = 'ROUSE_INSPECTION';
/**
 * Set, to anything: there is no model yet. The server loads all else, writes an empty line to the descriptor of
 * `ENV_READY_FD`, which is a socket then, and reads one line of JSON from it: an `Assignment`. It writes
 * another empty line, and goes on as if it had been started so. Until then it has `ENV_KIND` and, of the
 * instance that it may become, `ENV_SOCKET`.
 */
export const ENV_STANDBY = 'ROUSE_STANDBY';
/**
 * In a cluster, of a server of ours: what it serves, an `ArtifactRef` as JSON; the address that has content at
 * `/sha256:<digest>/content`; the key that opens it; and the folder that it fetches it to before it listens.
 */
export const ENV_ARTIFACT = 'ROUSE_ARTIFACT';
export const ENV_ARTIFACTS_URL = 'ROUSE_ARTIFACTS_URL';
export const ENV_ARTIFACT_KEY = 'ROUSE_ARTIFACT_KEY';
export const ENV_WORK = 'ROUSE_WORK';
/**
 * Set, to anything: who asks the model is its owner, and is told in a few words what the model failed with. All others
 * are told only that it did.
 */
export const ENV_TELL_FAILURES = 'ROUSE_TELL_FAILURES';
/**
 * In the pod of a program, of the steps of ours before and after it: what it is given, `ProgramInput`s as JSON; the address
 * that takes what it has left, and the key that opens that.
 */
export const ENV_INPUTS = 'ROUSE_INPUTS';
export const ENV_OUTPUT_URL = 'ROUSE_OUTPUT_URL';
export const ENV_OUTPUT_KEY = 'ROUSE_OUTPUT_KEY';
/** Given to every instance, whatever it runs. */
export const ENV_NAMESPACE = 'ROUSE_NAMESPACE';
export const ENV_MODEL = 'ROUSE_MODEL';
export const ENV_REVISION = 'ROUSE_REVISION';
/** For the inspection: a file descriptor to write one `InspectionLine` to. */
export const ENV_RESULT_FD = 'ROUSE_RESULT_FD';
/** An empty folder: for the inspection, it takes the changed model, where one is needed; for a job, what it is to leave. */
export const ENV_OUTPUT = 'ROUSE_OUTPUT';
/** For the program of a job: which job; paths of its data, and of what the next revision is made from. */
export const ENV_JOB = 'ROUSE_JOB';
export const ENV_DATA = 'ROUSE_DATA';
export const ENV_PARENT = 'ROUSE_PARENT';

/** Each instance gets the inspection in its environment, where Linux takes 128 KiB for a variable. */
export const MAX_INSPECTION_BYTES = 96 * 1024;

/** What a server that stands by becomes. `environment` is all of it: what is not in there is removed. */
export interface Assignment {
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** What a server says of the model that it has loaded. */
export type ServerMetadata = Pick<Inspection, 'platform' | 'inputs' | 'outputs'>;

/**
 * What a server writes to its readiness pipe. `load`: ms that loading the model took. `metadata`: of a server
 * that speaks V2 and V1, unless `ENV_INSPECTION` told it already; it has the limit of an inspection.
 */
export type ReadyLine =
  | { readonly load: number; readonly metadata?: ServerMetadata }
  | { readonly error: string };

/** What the inspection writes. `served`: path of the file that is to be served instead of the source. */
export type InspectionLine =
  | { readonly inspection: Omit<Inspection, 'served'>; readonly served?: string }
  | { readonly error: string };
