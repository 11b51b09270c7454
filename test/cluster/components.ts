import { FRONT_PROXY } from './certificates.ts';
import { AUDIT_LOG, FILES } from './folders.ts';
import * as net from './network.ts';

/** The programs that make a cluster, as the box runs them. */

/** It is ready as soon as this address answers 2xx, or as this socket takes connections. */
export type Ready = { readonly url: string } | { readonly socket: string };

export interface Component {
  /** Of its program, and of its log. */
  readonly name: string;
  readonly args: readonly string[];
  readonly ready: Ready;
}

const PKI = `${FILES}/pki`;
export const API_SERVER = `https://${net.NODE_IP}:6443`;
const ETCD = 'http://127.0.0.1:2379';

export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';

/** What needs nothing else. */
export const BASE: readonly Component[] = [
  {
    name: 'containerd',
    args: ['--config', `${FILES}/containerd.toml`],
    ready: { socket: CONTAINERD_SOCKET },
  },
  {
    name: 'etcd',
    args: [
      '--data-dir=/var/lib/etcd',
      `--listen-client-urls=${ETCD}`,
      `--advertise-client-urls=${ETCD}`,
      // What is lost with the machine does not matter, and a disk may be slow.
      '--unsafe-no-fsync',
    ],
    ready: { url: `${ETCD}/health` },
  },
];

/** Needs etcd. */
export const API: readonly Component[] = [
  {
    name: 'kube-apiserver',
    args: [
      `--etcd-servers=${ETCD}`,
      `--advertise-address=${net.NODE_IP}`,
      `--service-cluster-ip-range=${net.SERVICE_RANGE}`,
      ...certificateArgs('kube-apiserver'),
      `--client-ca-file=${PKI}/ca.crt`,
      `--kubelet-certificate-authority=${PKI}/ca.crt`,
      `--kubelet-client-certificate=${PKI}/kubelet-client.crt`,
      `--kubelet-client-key=${PKI}/kubelet-client.key`,
      '--kubelet-preferred-address-types=InternalIP',
      `--service-account-issuer=https://kubernetes.default.svc.${net.CLUSTER_DOMAIN}`,
      `--service-account-key-file=${PKI}/service-accounts.crt`,
      `--service-account-signing-key-file=${PKI}/service-accounts.key`,
      `--proxy-client-cert-file=${PKI}/front-proxy-client.crt`,
      `--proxy-client-key-file=${PKI}/front-proxy-client.key`,
      `--requestheader-client-ca-file=${PKI}/ca.crt`,
      `--requestheader-allowed-names=${FRONT_PROXY}`,
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--enable-aggregator-routing',
      `--audit-policy-file=${FILES}/audit.yaml`,
      `--audit-log-path=${AUDIT_LOG}`,
      '--allow-privileged',
    ],
    ready: { url: `${API_SERVER}/readyz` },
  },
];

/** Need the API server, and kubelet containerd. */
export const NODE: readonly Component[] = [
  {
    name: 'kube-controller-manager',
    args: [
      ...clientArgs('kube-controller-manager'),
      ...certificateArgs('node'),
      '--bind-address=127.0.0.1',
      '--allocate-node-cidrs',
      `--cluster-cidr=${net.CLUSTER_RANGE}`,
      `--root-ca-file=${PKI}/ca.crt`,
      `--service-account-private-key-file=${PKI}/service-accounts.key`,
      '--use-service-account-credentials',
      '--leader-elect=false',
    ],
    ready: { url: 'https://127.0.0.1:10257/healthz' },
  },
  {
    name: 'kube-scheduler',
    args: [
      ...clientArgs('kube-scheduler'),
      ...certificateArgs('node'),
      '--bind-address=127.0.0.1',
      '--leader-elect=false',
    ],
    ready: { url: 'https://127.0.0.1:10259/healthz' },
  },
  {
    name: 'kubelet',
    args: [
      `--kubeconfig=${FILES}/kubelet.kubeconfig`,
      `--config=${FILES}/kubelet.yaml`,
      `--hostname-override=${net.NODE_NAME}`,
      `--node-ip=${net.NODE_IP}`,
    ],
    ready: { url: 'http://127.0.0.1:10248/healthz' },
  },
  {
    name: 'kube-proxy',
    args: [
      `--kubeconfig=${FILES}/kube-proxy.kubeconfig`,
      `--hostname-override=${net.NODE_NAME}`,
      '--proxy-mode=nftables',
      `--cluster-cidr=${net.CLUSTER_RANGE}`,
      '--healthz-bind-address=127.0.0.1:10256',
      // A limit of the whole machine, not of the box.
      '--conntrack-max-per-core=0',
    ],
    ready: { url: 'http://127.0.0.1:10256/livez' },
  },
  {
    name: 'coredns',
    args: ['-conf', `${FILES}/Corefile`],
    ready: { url: 'http://127.0.0.1:8181/ready' },
  },
];

export const COMPONENTS: readonly Component[] = [...BASE, ...API, ...NODE];

function certificateArgs(name: string): string[] {
  return [`--tls-cert-file=${PKI}/${name}.crt`, `--tls-private-key-file=${PKI}/${name}.key`];
}

/** Its own requests, and how it checks who asks it. */
function clientArgs(name: string): string[] {
  const file = `${FILES}/${name}.kubeconfig`;
  return ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
    (option) => `--${option}=${file}`,
  );
}
