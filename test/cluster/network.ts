/** The network of the box: one node, whose address is that of the bridge to which all pods are tied. */

export const NODE_NAME = 'rouse';
export const NODE_IP = '10.244.0.1';
export const POD_RANGE = '10.244.0.0/24';
export const CLUSTER_RANGE = '10.244.0.0/16';
export const SERVICE_RANGE = '10.96.0.0/16';
export const API_SERVICE_IP = '10.96.0.1';
export const DNS_SERVICE_IP = '10.96.0.10';
export const CLUSTER_DOMAIN = 'cluster.local';
export const BRIDGE = 'cni0';

/** Arguments of `ip`, in order, that make the network of a new box. */
export const NETWORK: readonly (readonly string[])[] = [
  ['link', 'set', 'lo', 'up'],
  ['link', 'add', BRIDGE, 'type', 'bridge'],
  ['address', 'add', `${NODE_IP}/24`, 'dev', BRIDGE],
  ['link', 'set', BRIDGE, 'up'],
  // Addresses of Services have no route of their own, and without any the kernel refuses them before they are
  // rewritten. What is not rewritten finds nobody on the bridge.
  ['route', 'add', 'default', 'dev', BRIDGE, 'src', NODE_IP],
];

/** Settings of the box's own network, below /proc/sys. */
export const NETWORK_SETTINGS: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '1',
  // Pods answer each other over the bridge: without it their answers would pass by the rewriting of addresses.
  'net/bridge/bridge-nf-call-iptables': '1',
};
