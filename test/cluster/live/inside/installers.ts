import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { kubectl, PATIENCE } from './kubectl.ts';

/** Rouse's install files, used as users do: both ways, with the same choices. For programs in the box. */

const INSTALL = resolve(import.meta.dirname, '../../../../knative/install');
export const SYSTEM = 'rouse-system';
const RELEASE = ['rouse', INSTALL, '--namespace', SYSTEM];
const LONGEST_OUTPUT = 2 ** 26;

export interface Choices {
  readonly image: string;
  /** Settings of control. */
  readonly env?: Readonly<Record<string, string>>;
  readonly ephemeral?: boolean;
  readonly ingress?: boolean;
  readonly models?: boolean;
  /** The statistics that Knative's autoscaler takes. */
  readonly guarded?: boolean;
  /** Not by default. */
  readonly metrics?: boolean;
  /** Not by default. */
  readonly batch?: boolean;
}

export interface Installer {
  /** The objects as YAML. */
  render(choices: Choices): Promise<string>;
  /** Installs, or changes what is installed. */
  apply(choices: Choices): Promise<void>;
  remove(): Promise<void>;
}

export const INSTALLERS: Readonly<Record<string, Installer>> = {
  kustomize: createKustomize(),
  helm: createHelm(),
};

export function installerOf(how: string): Installer {
  const installer = INSTALLERS[how];
  if (!installer) throw new Error(`nothing installs by ${how}`);
  return installer;
}

function createKustomize(): Installer {
  let applied: Choices = { image: '' };

  async function withFolder<T>(choices: Choices, use: (folder: string) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), 'rouse-kustomize-'));
    try {
      const kustomization = makeKustomization(relative(folder, INSTALL), choices);
      await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  return {
    render: async (choices) =>
      await withFolder(choices, async (folder) => await run('kubectl', 'kustomize', folder)),
    async apply(choices) {
      applied = choices;
      await withFolder(choices, async (folder) => {
        await kubectl('apply', '--server-side', '-k', folder);
      });
    },
    async remove() {
      await withFolder(applied, async (folder) => {
        await kubectl('delete', '-k', folder, PATIENCE);
      });
    },
  };
}

/** As a user's own folder. */
function makeKustomization(install: string, choices: Choices): object {
  const { image, env = {}, ephemeral = false, metrics = false, batch = false } = choices;
  const { ingress = true, models = true, guarded = true } = choices;
  const colon = image.lastIndexOf(':');
  const container = {
    name: 'rouse',
    env: Object.entries(env).map(([name, value]) => ({ name, value })),
  };
  const patch = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'rouse', namespace: SYSTEM },
    spec: { template: { spec: { containers: [container] } } },
  };
  return {
    resources: [join(install, 'base')],
    components: [
      ...(ingress ? [join(install, 'ingress')] : []),
      ...(models ? [join(install, 'models')] : []),
      ...(guarded ? [join(install, 'autoscaler')] : []),
      ...(ephemeral ? [join(install, 'ephemeral')] : []),
      ...(metrics ? [join(install, 'metrics')] : []),
      ...(batch ? [join(install, 'batch')] : []),
    ],
    images: [{ name: 'rouse', newName: image.slice(0, colon), newTag: image.slice(colon + 1) }],
    patches: container.env.length > 0 ? [{ patch: JSON.stringify(patch) }] : [],
  };
}

function createHelm(): Installer {
  return {
    render: async (choices) => await run('helm', 'template', ...RELEASE, ...makeValues(choices)),
    async apply(choices) {
      const how = ['--install', '--create-namespace', ...makeValues(choices)];
      await run('helm', 'upgrade', ...RELEASE, ...how);
    },
    async remove() {
      await run('helm', 'uninstall', 'rouse', '--namespace', SYSTEM, '--wait');
      // Both stay for whoever installs again.
      await kubectl('delete', 'customresourcedefinition', 'models.rouse.dev', '--ignore-not-found');
      await kubectl('delete', 'namespace', SYSTEM, PATIENCE);
    },
  };
}

function makeValues(choices: Choices): string[] {
  const { image, env = {}, ephemeral = false, metrics = false, batch = false } = choices;
  const { ingress = true, models = true, guarded = true } = choices;
  const values = {
    image,
    env,
    storage: { ephemeral },
    ingress: { enabled: ingress },
    models: { enabled: models },
    autoscaler: { guarded },
    metrics: { enabled: metrics },
    batch: { enabled: batch },
  };
  return Object.entries(values).flatMap(([name, value]) => [
    '--set-json',
    `${name}=${JSON.stringify(value)}`,
  ]);
}

async function run(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: LONGEST_OUTPUT });
  return stdout;
}
