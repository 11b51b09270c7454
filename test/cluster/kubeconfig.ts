import { formatYaml } from '#lib/yaml.ts';

/** The file by which a client of the API server finds it and shows who it is. Complete in itself. */
export function makeKubeconfig(options: {
  readonly server: string;
  readonly user: string;
  /** PEM, as are the two below. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}): string {
  const { server, user, authority, certificate, key } = options;
  const name = 'rouse-cluster';
  return formatYaml({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(authority) } }],
    users: [
      {
        name: user,
        user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) },
      },
    ],
    contexts: [{ name, context: { cluster: name, user } }],
    'current-context': name,
  });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
