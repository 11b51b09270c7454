import type { StreamAddress } from '#bus/stream.ts';
import type { HostPort } from '#domain/address.ts';
import type { ServerSettings } from '#domain/server.ts';

/** All that a data plane needs in order to run as a process of its own. */
export interface DataPlaneStart {
  readonly settings: ServerSettings;
  /** Where control's end of the bus is. */
  readonly bus: StreamAddress;
  /** Unique among the data planes of one control, and not used again after its process has ended. */
  readonly dataPlane: string;
  readonly processes: number;
  readonly sharePort: boolean;
  readonly version: string;
  /** Metrics and health of this process alone. */
  readonly admin?: HostPort;
}

/** What a data-plane process hears from whoever started it. */
export type ToDataPlane =
  | { readonly type: 'start'; readonly start: DataPlaneStart }
  /** Read the certificates again. */
  | { readonly type: 'reload' }
  /** Accept nothing new, finish what runs for at most `graceMs`, end. */
  | { readonly type: 'close'; readonly graceMs: number };

export type FromDataPlane =
  /** It listens, and has a routing state. */
  | { readonly type: 'ready' }
  /** It was asked by a signal to end, and waits for `close`: first another takes its place. */
  | { readonly type: 'leaving' }
  /** It could not start. */
  | { readonly type: 'failed'; readonly message: string };
