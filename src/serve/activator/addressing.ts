import {
  type Addressing,
  type Destination,
  makeAnswer,
  makeUnknown,
} from '#activator/addressing.ts';
import { makeHeadEdits } from '#activator/http/head-edits.ts';
import type { RequestHead } from '#activator/http/request-head.ts';
import { quote } from '#activator/quote.ts';
import { modelKey } from '#domain/names.ts';
import { type Named, readRevisionHost } from '#knative/activator/host.ts';

const NAMESPACE = 'knative-serving-namespace';
const REVISION = 'knative-serving-revision';
const PROBE = 'k-network-probe';
const HASH = 'k-network-hash';

/** What the queue-proxy of a pod is told: that the request was counted already. The rest has done its work here. */
const EDITS = makeHeadEdits({
  set: { 'K-Proxy-Request': 'activator' },
  remove: [NAMESPACE, REVISION, HASH],
});

/** What comes to Knative's activator: probes of three kinds, at any path; and requests for revisions. */
export function createKnativeAddressing(options: {
  /** Of the cluster: what the names of Services end with. */
  domain: string;
  /** Kubernetes may send requests here. */
  isServing: () => boolean;
}): Addressing {
  const { domain, isServing } = options;
  return (head, routes) => {
    const probe = answerProbe(head, isServing);
    if (probe) return probe;
    const named = nameOf(head, domain);
    if (!named) {
      return makeUnknown(
        `No revision is named: expected the headers Knative-Serving-Namespace and Knative-Serving-Revision, or a host such as revision.namespace.svc.${domain}.`,
      );
    }
    const { namespace, name } = named;
    const model = routes.models.get(modelKey(namespace, name));
    if (!model)
      return makeUnknown(`There is no revision ${quote(name)} in namespace ${quote(namespace)}.`);
    return {
      kind: 'model',
      model,
      revision: '',
      tag: undefined,
      path: head.target,
      dialect: 'problem',
      edits: EDITS,
    };
  };
}

/** Both headers, or else the host. */
function nameOf({ fields, hostname }: RequestHead, domain: string): Named | undefined {
  const namespace = fields.find(NAMESPACE);
  const name = fields.find(REVISION);
  if (namespace !== '' && name !== '') return { namespace, name };
  return readRevisionHost(hostname, domain);
}

/** Of kubelet, of an ingress that looks for its configuration, and of Knative that looks for an activator. */
function answerProbe({ fields }: RequestHead, isServing: () => boolean): Destination | undefined {
  if (
    fields.find('user-agent').startsWith('kube-probe/') ||
    fields.find('k-kubelet-probe') !== ''
  ) {
    return isServing() ? makeAnswer(200, '') : makeAnswer(503, 'this activator is ending\n');
  }
  const probe = fields.find(PROBE);
  if (probe === '') return undefined;
  if (probe === 'activator') return makeAnswer(200, 'activator');
  if (probe !== 'probe') return makeAnswer(400, `unexpected probe header value: ${quote(probe)}\n`);
  const hash = fields.find(HASH);
  if (hash === '') return makeAnswer(400, 'a probe request must have a K-Network-Hash header\n');
  return makeAnswer(200, '', `K-Network-Hash: ${hash}\r\n`);
}
