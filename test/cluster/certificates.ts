import { API_SERVICE_IP, CLUSTER_DOMAIN, NODE_IP, NODE_NAME } from './network.ts';

/** A certificate that our program `certificates` makes. */
export interface Certificate {
  readonly name: string;
  /** Who it is for Kubernetes: the name of a user. */
  readonly commonName: string;
  /** The group of the user. */
  readonly organization?: string;
  /** Names and addresses that it may serve. */
  readonly hosts?: readonly string[];
}

/** Who the API server is to aggregated APIs. All certificates have one authority: the name tells it from others. */
export const FRONT_PROXY = 'front-proxy-client';

const ADMINISTRATORS = 'system:masters';

/** Users of the API server; each gets a kubeconfig. */
export const USERS: readonly Certificate[] = [
  { name: 'admin', commonName: 'admin', organization: ADMINISTRATORS },
  { name: 'kube-controller-manager', commonName: 'system:kube-controller-manager' },
  { name: 'kube-scheduler', commonName: 'system:kube-scheduler' },
  { name: 'kube-proxy', commonName: 'system:kube-proxy' },
  { name: 'kubelet', commonName: `system:node:${NODE_NAME}`, organization: 'system:nodes' },
  { name: 'coredns', commonName: 'rouse:dns' },
];

export const CERTIFICATES: readonly Certificate[] = [
  ...USERS,
  {
    name: 'kube-apiserver',
    commonName: 'kube-apiserver',
    hosts: [
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      `kubernetes.default.svc.${CLUSTER_DOMAIN}`,
      'localhost',
      API_SERVICE_IP,
      NODE_IP,
      '127.0.0.1',
    ],
  },
  // With it the API server hands requests on to aggregated APIs.
  { name: 'front-proxy-client', commonName: FRONT_PROXY },
  // With it the API server asks kubelet for logs and starts commands in pods.
  { name: 'kubelet-client', commonName: 'kube-apiserver', organization: ADMINISTRATORS },
  {
    name: 'node',
    commonName: NODE_NAME,
    hosts: [NODE_NAME, 'localhost', NODE_IP, '127.0.0.1'],
  },
  // Its key signs the tokens of service accounts.
  { name: 'service-accounts', commonName: 'service-accounts' },
];
