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
 * `{"load": <ms that loading the model took>}`; or `{"error": "<message>"}` and exit with status 1.
 */
export const ENV_READY_FD = 'ROUSE_READY_FD';
/** `onnx` or `function` (for `functions/serve.ts` and `functions/inspect.ts`). */
export const ENV_KIND = 'ROUSE_KIND';
/** Path of the materialized artifact. */
export const ENV_SOURCE = 'ROUSE_SOURCE';
/** The inspection, as JSON, where there is one. */
export const ENV_INSPECTION = 'ROUSE_INSPECTION';
/** Given to every instance, whatever it runs. */
export const ENV_NAMESPACE = 'ROUSE_NAMESPACE';
export const ENV_MODEL = 'ROUSE_MODEL';
export const ENV_REVISION = 'ROUSE_REVISION';
/** For the inspection: a file descriptor to write one `InspectionLine` to. */
export const ENV_RESULT_FD = 'ROUSE_RESULT_FD';
/** For the inspection: an empty folder that takes the changed model, where one is needed. */
export const ENV_OUTPUT = 'ROUSE_OUTPUT';

/** What a server writes to its readiness pipe. */
export type ReadyLine = { readonly load: number } | { readonly error: string };

/** What the inspection writes. `served`: path of the file that is to be served instead of the source. */
export type InspectionLine =
  | { readonly inspection: Omit<Inspection, 'served'>; readonly served?: string }
  | { readonly error: string };
