import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyObject, kubectl } from './kubectl.ts';

/** Somebody whom the cluster knows, and who may do nothing until it is said. */
export interface Stranger {
  /** A kubeconfig of theirs. */
  readonly kubeconfig: string;
  /** From now on these are all of their rights. */
  allow(rules: readonly Rule[]): Promise<void>;
  close(): Promise<void>;
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const NAME = 'stranger';
const RBAC = 'rbac.authorization.k8s.io';

export async function makeStranger(): Promise<Stranger> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-stranger-'));
  const kubeconfig = join(folder, 'config');
  await kubectl('create', 'serviceaccount', NAME);
  await writeFile(kubeconfig, await readFile(process.env['KUBECONFIG'] ?? ''));
  const token = await kubectl('create', 'token', NAME);
  const config = ['config', '--kubeconfig', kubeconfig];
  const user = await kubectl(...config, 'view', '--output', 'jsonpath={.contexts[0].context.user}');
  await kubectl(...config, 'delete-user', user);
  await kubectl(...config, 'set-credentials', user, `--token=${token}`);
  const allow: Stranger['allow'] = async (rules) => {
    const metadata = { name: NAME };
    await applyObject({ apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata, rules });
  };
  await allow([]);
  await applyObject({
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: NAME },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: NAME },
    subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: 'default' }],
  });
  return {
    kubeconfig,
    allow,
    async close() {
      await kubectl('delete', 'serviceaccount', NAME);
      await kubectl('delete', 'clusterrole,clusterrolebinding', NAME);
      await rm(folder, { recursive: true });
    },
  };
}
