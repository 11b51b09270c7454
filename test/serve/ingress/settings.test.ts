import { describe, expect, test } from 'vitest';
import { parseIngressSettings } from '#serve/ingress/settings.ts';

const RESOLV_CONF = 'search rouse-system.svc.example.local svc.example.local example.local\n';

const parse = (argv: string[], env = {}) => parseIngressSettings(argv, env, RESOLV_CONF);

describe('settings of the ingress', () => {
  test('as a pod of the install has them', () => {
    const env = { POD_NAME: 'rouse-ingress-1', POD_NAMESPACE: 'ways' };
    expect(parse([], env)).toEqual({
      http: { host: '0.0.0.0', port: 8080 },
      https: { host: '0.0.0.0', port: 8443 },
      inside: { host: '0.0.0.0', port: 8081 },
      admin: { host: '0.0.0.0', port: 9090 },
      domain: 'example.local',
      namespace: 'ways',
      identity: 'rouse-ingress-1',
    });
  });

  test('by flags', () => {
    const said = parse(['--https', '[::1]:1', '--cluster-domain', 'other.local']);
    expect(said.https).toEqual({ host: '::1', port: 1 });
    expect(said.domain).toBe('other.local');
    expect(said.namespace).toBe('rouse-system');
    expect(said.identity).not.toBe('');
  });

  test.each([
    [['--http', 'nowhere'], /--http "nowhere": expected host:port/],
    [
      ['--http', 'nowhere', '--admin', '1'],
      /--http "nowhere": .*\n--admin "1": expected host:port/,
    ],
    [['--htp', 'x'], /'--htp'/],
    [['x'], /'x'/],
  ])('%s is refused', (argv, message) => {
    expect(() => parse(argv)).toThrow(message);
  });
});
