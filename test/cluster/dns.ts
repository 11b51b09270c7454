import { formatYaml } from '#lib/yaml.ts';
import { DNS_SERVICE_IP, NODE_IP } from './network.ts';

const NAMESPACE = 'kube-system';
const NAME = 'kube-dns';
const PORTS = ['UDP', 'TCP'].map((protocol) => ({
  name: `dns-${protocol.toLowerCase()}`,
  port: 53,
  protocol,
}));

/** CoreDNS runs on the node, not in a pod: its Service points to the node's address, and it may read what it serves. */
export function makeDnsManifests(): string {
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'rouse:dns' } };
  const verbs = ['list', 'watch'];
  return [
    {
      ...role,
      kind: 'ClusterRole',
      rules: [
        { apiGroups: [''], resources: ['services', 'namespaces', 'pods'], verbs },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs },
      ],
    },
    {
      ...role,
      kind: 'ClusterRoleBinding',
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'rouse:dns' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'rouse:dns' }],
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: NAME, namespace: NAMESPACE },
      spec: { clusterIP: DNS_SERVICE_IP, ports: PORTS },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: NAME,
        namespace: NAMESPACE,
        labels: { 'kubernetes.io/service-name': NAME },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: [NODE_IP], conditions: { ready: true } }],
      ports: PORTS,
    },
  ]
    .map((manifest) => `---\n${formatYaml(manifest)}`)
    .join('');
}
