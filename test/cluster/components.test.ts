import { describe, expect, test } from 'vitest';
import { parseYaml } from '#lib/yaml.ts';
import { CERTIFICATES, USERS } from './certificates.ts';
import { COMPONENTS } from './components.ts';
import { makeConfigs } from './configs.ts';
import { makeDnsManifests } from './dns.ts';
import { FILES } from './folders.ts';
import { makeKubeconfig } from './kubeconfig.ts';
import { MODULES } from './programs.ts';

const configs = makeConfigs();

/** All that `prepareState` writes for the components, as they see it. */
const written = new Set([
  `${FILES}/cni`,
  `${FILES}/pki/ca.crt`,
  ...CERTIFICATES.flatMap(({ name }) => [`${FILES}/pki/${name}.crt`, `${FILES}/pki/${name}.key`]),
  ...USERS.map(({ name }) => `${FILES}/${name}.kubeconfig`),
  ...Object.keys(configs).map((name) => `${FILES}/${name}`),
]);

function filesIn(text: string): string[] {
  return text.match(/\/var\/lib\/cluster\/[\w./-]*[\w]/g) ?? [];
}

describe.each(COMPONENTS)('$name', ({ name, args }) => {
  test('gets no file that nobody writes', () => {
    for (const arg of args) {
      for (const file of filesIn(arg)) expect(written).toContain(file);
    }
  });

  test('is built, or is a program of the machine', () => {
    const built = MODULES.flatMap(({ programs }) => Object.keys(programs));
    expect([...built, 'containerd']).toContain(name);
  });
});

test('components have names and addresses of their own', () => {
  expect(new Set(COMPONENTS.map(({ name }) => name)).size).toBe(COMPONENTS.length);
  const places = COMPONENTS.map(({ ready }) => JSON.stringify(ready));
  expect(new Set(places).size).toBe(COMPONENTS.length);
});

test('configuration files name no file that nobody writes', () => {
  for (const text of Object.values(configs)) {
    for (const file of filesIn(text)) expect(written).toContain(file);
  }
});

test('kubelet keeps what cannot come back, and lets nobody in without a certificate', () => {
  const [document] = parseYaml(configs['kubelet.yaml'] ?? '', 'kubelet.yaml');
  expect(document?.value).toMatchObject({
    imageGCHighThresholdPercent: 100,
    authentication: { anonymous: { enabled: false } },
  });
});

test('a kubeconfig is complete in itself', () => {
  const text = makeKubeconfig({
    server: 'https://10.244.0.1:6443',
    user: 'admin',
    authority: 'authority',
    certificate: 'certificate',
    key: 'key',
  });
  const [document] = parseYaml(text, 'kubeconfig');
  expect(document?.value).toEqual({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'rouse-cluster',
        cluster: {
          server: 'https://10.244.0.1:6443',
          'certificate-authority-data': btoa('authority'),
        },
      },
    ],
    users: [
      {
        name: 'admin',
        user: {
          'client-certificate-data': btoa('certificate'),
          'client-key-data': btoa('key'),
        },
      },
    ],
    contexts: [{ name: 'rouse-cluster', context: { cluster: 'rouse-cluster', user: 'admin' } }],
    'current-context': 'rouse-cluster',
  });
});

test('the Service of DNS has its fixed address and points to the node', () => {
  const documents = parseYaml(makeDnsManifests(), 'dns').map(({ value }) => value);
  expect(documents).toHaveLength(4);
  expect(documents).toContainEqual(
    expect.objectContaining({
      kind: 'Service',
      spec: expect.objectContaining({ clusterIP: '10.96.0.10' }),
    }),
  );
  expect(documents).toContainEqual(
    expect.objectContaining({
      kind: 'EndpointSlice',
      endpoints: [{ addresses: ['10.244.0.1'], conditions: { ready: true } }],
    }),
  );
});
