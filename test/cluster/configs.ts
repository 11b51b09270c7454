import { formatYaml } from '#lib/yaml.ts';
import { FILES } from './folders.ts';
import { imageName } from './image-name.ts';
import * as net from './network.ts';

/** The configuration files of the components, by their names below `FILES`. */
export function makeConfigs(): Readonly<Record<string, string>> {
  return {
    'containerd.toml': CONTAINERD,
    'cni/10-rouse.conflist': `${JSON.stringify(CNI, null, 2)}\n`,
    'kubelet.yaml': formatYaml(makeKubeletConfig()),
    'audit.yaml': formatYaml(AUDIT_POLICY),
    'resolv.conf': `nameserver ${net.DNS_SERVICE_IP}\n`,
    Corefile: COREFILE,
  };
}

const CONTAINERD = `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
  # Kubelet asks for values that not every machine lets it set.
  restrict_oom_score_adj = true
  sandbox_image = "${imageName('pause')}"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "${FILES}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
`;

const CNI = {
  cniVersion: '0.4.0',
  name: 'rouse',
  plugins: [
    {
      type: 'bridge',
      bridge: net.BRIDGE,
      isGateway: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: net.POD_RANGE, gateway: net.NODE_IP }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
};

const COREFILE = `.:53 {
    bind ${net.NODE_IP}
    errors
    health 127.0.0.1:8180
    ready 127.0.0.1:8181
    kubernetes ${net.CLUSTER_DOMAIN} in-addr.arpa {
        kubeconfig ${FILES}/coredns.kubeconfig rouse-cluster
    }
    cache 5 {
        disable success ${net.CLUSTER_DOMAIN}
        disable denial ${net.CLUSTER_DOMAIN}
    }
}
`;

/** What Rouse does in the cluster, and nothing of what others do. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'Metadata', userGroups: ['system:serviceaccounts:rouse-system'] },
    { level: 'Metadata', users: ['system:serviceaccount:knative-serving:activator'] },
    { level: 'None' },
  ],
};

/** Nothing that is evicted or collected here could come back: there is no registry. */
const NEVER_EVICT = {
  'memory.available': '50Mi',
  'nodefs.available': '1%',
  'nodefs.inodesFree': '1%',
  'imagefs.available': '1%',
};

function makeKubeletConfig(): object {
  const certificate = `${FILES}/pki/node`;
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${FILES}/pki/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${certificate}.crt`,
    tlsPrivateKeyFile: `${certificate}.key`,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    clusterDNS: [net.DNS_SERVICE_IP],
    clusterDomain: net.CLUSTER_DOMAIN,
    resolvConf: `${FILES}/resolv.conf`,
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    // Pods are limited; the node as a whole is not, since it is the machine.
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    failSwapOn: false,
    evictionHard: NEVER_EVICT,
    imageGCHighThresholdPercent: 100,
    // Its first requests would otherwise wait for each other.
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    registryPullQPS: 0,
    serializeImagePulls: false,
  };
}
