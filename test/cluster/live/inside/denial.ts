import { createServer } from 'node:https';
import { makeCertificate } from '#test/fixtures/certificate.ts';
import { listening } from '#test/listening.ts';
import { applyObject, kubectl } from './kubectl.ts';

/** An admission webhook of the cluster that denies what is of one model, until it is taken away. */
export interface Denial {
  close(): Promise<void>;
}

const NAME = 'denial.rouse.test';

/** `resource`: of `serving.knative.dev`. */
export async function denyModel(
  model: string,
  { resource, operation }: { resource: string; operation: 'CREATE' | 'UPDATE' },
  message: string,
): Promise<Denial> {
  const { certificate, key } = makeCertificate(['denial']);
  const server = createServer({ cert: certificate, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as { request: { uid: string } };
      const answer = { uid: review.request.uid, allowed: false, status: { message } };
      const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(body));
    });
  });
  const port = await listening(server);
  await applyObject({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: NAME },
    webhooks: [
      {
        name: NAME,
        clientConfig: {
          // All of the cluster's components run where this does.
          url: `https://127.0.0.1:${port}/`,
          caBundle: Buffer.from(certificate).toString('base64'),
        },
        rules: [
          {
            apiGroups: ['serving.knative.dev'],
            apiVersions: ['v1'],
            operations: [operation],
            resources: [resource],
          },
        ],
        objectSelector: { matchLabels: { 'rouse.dev/model': model } },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  });
  return {
    async close() {
      await kubectl('delete', 'validatingwebhookconfiguration', NAME);
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
