import type { ServeRequest } from '#cli/commands/serve.ts';
import { type HostPort, urlOf } from '#domain/address.ts';
import type { ControlSetup } from './control-messages.ts';
import type { DataFolder } from './data-folder.ts';

/** What control is to know. `at`: where the data plane listens. */
export function makeControlSetup(
  { settings, apply, watch }: ServeRequest,
  { version, folder, at }: { version: string; folder: DataFolder; at: HostPort },
): Omit<ControlSetup, 'applied'> {
  return {
    settings,
    version,
    dataPlane: urlOf(at, settings.tls.length > 0 ? 'https' : 'http'),
    folder: { path: folder.path, stateId: folder.stateId },
    apply,
    watch,
    terminal: process.stderr.isTTY,
  };
}
