import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyObject, kubectl, kubectlSays } from './kubectl.ts';
import { untilCluster } from './within.ts';

/** Somebody whom the cluster knows, and who may do nothing until it is said. */
export interface Stranger {
  /** A kubeconfig of theirs. */
  readonly kubeconfig: string;
  /** From then on these are all of their rights. */
  allow(rules: readonly Rule[]): Promise<void>;
  close(): Promise<void>;
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const NAME = 'stranger';
const USER = `system:serviceaccount:default:${NAME}`;
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
  await applyObject({
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: NAME },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: NAME },
    subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: 'default' }],
  });
  let changes = 0;
  const allow: Stranger['allow'] = async (rules) => {
    // The API server learns of rights a little later than it takes them, of all that are in one object at once.
    const mark = `mark-${(changes += 1)}`;
    const marked = [...rules, { apiGroups: [''], resources: [mark], verbs: ['get'] }];
    const metadata = { name: NAME };
    await applyObject({ apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata, rules: marked });
    const asked = ['auth', 'can-i', 'get', mark, `--as=${USER}`];
    await untilCluster(`${USER} has other rights`, async () => {
      return /^yes$/m.test(await kubectlSays(asked));
    });
  };
  await allow([]);
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
