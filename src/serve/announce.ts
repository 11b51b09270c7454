import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { ModelAnswer } from '#domain/read-views.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { ControlSetup } from './control-messages.ts';
import type { Started } from './apply-at-start.ts';
import { findCurlWay } from './curl-way.ts';
import { formatModels, formatStart } from './welcome.ts';

/** Throws Fault `not_found` when the folder to apply is not there. */
export function checkFolder(apply: string | undefined): void {
  if (apply === undefined || existsSync(apply)) return;
  throw new Fault('not_found', `--apply ${apply}: there is no such file or folder`);
}

export function announceStart(
  { version, dataPlane, settings }: Pick<ControlSetup, 'version' | 'dataPlane' | 'settings'>,
  control: string,
): void {
  process.stdout.write(formatStart({ version, dataPlane, control, data: settings.data }));
}

export function announceModels(
  { apply, settings, dataPlane }: Pick<ControlSetup, 'apply' | 'settings' | 'dataPlane'>,
  control: string,
  started: Started,
): void {
  const examples = findExamples(apply, started.models);
  const way = findCurlWay(settings, dataPlane, systemClock.now());
  process.stdout.write(formatModels(started, { examples, control, way }));
}

/** Requests that lie beside the models: the first `<folder>/<model>/*.json`, named as it is pasted from here. */
function findExamples(
  folder: string | undefined,
  models: readonly ModelAnswer[],
): Map<string, string> {
  const found = new Map<string, string>();
  for (const { metadata } of models) {
    const own = join(folder ?? '', metadata.name);
    if (folder === undefined || !existsSync(own)) continue;
    const example = readdirSync(own).find((name) => name.endsWith('.json'));
    if (example) found.set(metadata.name, relative(process.cwd(), join(own, example)));
  }
  return found;
}
