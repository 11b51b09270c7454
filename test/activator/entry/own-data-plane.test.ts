import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createOwnDataPlane } from '#lib/own-data-plane.ts';
import { makeCertificate } from '#test/fixtures/certificate.ts';
import { useTeardown } from '#test/teardown.ts';
import { startHarness } from '../harness.ts';

/** A port that the system gives to nobody who asks for any. */
const NOBODY = 1;

const end = useTeardown();

async function makeTls(): Promise<{ certificate: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-own-'));
  end(() => rm(folder, { recursive: true }));
  const files = { certificate: join(folder, 'own.crt'), key: join(folder, 'own.key') };
  // For none of the names that Rouse itself has.
  const { certificate, key } = makeCertificate(['model.test']);
  await writeFile(files.certificate, certificate);
  await writeFile(files.key, key);
  return files;
}

describe.each([false, true])('Rouse calls its own data plane, PROXY protocol: %s', (proxied) => {
  test.each(['http', 'https'])('by %s, on connections that are kept', async (scheme) => {
    const harness = await startHarness(
      {},
      {
        tls: scheme === 'https' ? [await makeTls()] : [],
        // Rouse is none of them.
        trustedProxies: proxied ? ['192.0.2.0/24'] : [],
        proxyProtocol: proxied,
      },
    );
    end(() => harness.close());
    harness.publisher.update({ models: [] });
    await harness.activator.ready;
    const url = `${scheme}://127.0.0.1:${harness.port}`;
    const { request, agent } = createOwnDataPlane(url, proxied);
    end(() => agent.destroy());
    for (const isKept of [false, true]) {
      const sent = request(`${url}/healthz`, { agent }).end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      expect([response.statusCode, sent.reusedSocket]).toEqual([200, isKept]);
      response.resume();
      await once(response, 'end');
      // The agent takes it back in the turn after.
      await new Promise(setImmediate);
    }
  });

  test.each(['http', 'https'])('by %s: that nobody listens there is told', async (scheme) => {
    const url = `${scheme}://127.0.0.1:${NOBODY}`;
    const { request, agent } = createOwnDataPlane(url, proxied);
    end(() => agent.destroy());
    const sent = request(`${url}/healthz`, { agent }).end();
    await expect(once(sent, 'response')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
