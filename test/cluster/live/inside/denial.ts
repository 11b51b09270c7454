import { createServer } from 'node:https';
import { makeCertificate } from '#test/fixtures/certificate.ts';
import { listening } from '#test/listening.ts';
import { applyObject, kubectl, kubectlSays } from './kubectl.ts';
import { untilCluster } from './within.ts';

/** An admission webhook of the cluster that denies what is of one model, until it is taken away. */
export interface Denial {
  close(): Promise<void>;
}

const NAME = 'denial.rouse.test';
const LABEL = 'rouse.dev/model';

/** What is denied: to make a Service of the model, or to change its Revisions. */
type Deed = 'make' | 'change';
const RULES = {
  make: { resources: ['services'], operations: ['CREATE'] },
  change: { resources: ['revisions'], operations: ['UPDATE'] },
};

/** Resolves when the cluster asks the webhook. */
export async function denyModel(model: string, deed: Deed, message: string): Promise<Denial> {
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
        rules: [{ apiGroups: ['serving.knative.dev'], apiVersions: ['v1'], ...RULES[deed] }],
        objectSelector: { matchLabels: { [LABEL]: model } },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  });
  // The API server learns of it a little later than it takes it.
  const untilDenied = async (denied: boolean): Promise<void> =>
    await untilCluster(`${NAME} is ${denied ? '' : 'not '}asked`, async () => {
      return (await rehearse(model, deed)).includes(NAME) === denied;
    });
  await untilDenied(true);
  return {
    async close() {
      await kubectl('delete', 'validatingwebhookconfiguration', NAME);
      await untilDenied(false);
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** What the cluster says to it, without doing it. */
async function rehearse(model: string, deed: Deed): Promise<string> {
  const label = `${LABEL}=${model}`;
  if (deed === 'change') {
    const change = ['--overwrite', '--dry-run=server', 'rouse.test/rehearsed=yes'];
    return await kubectlSays(['annotate', 'revisions', '--selector', label, ...change]);
  }
  const object = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: `${model}-rehearsed`, labels: { [LABEL]: model } },
    spec: { template: { spec: { containers: [{ image: 'dev.local/helloworld:v1' }] } } },
  };
  return await kubectlSays(['create', '--dry-run=server', '--filename', '-'], object);
}
