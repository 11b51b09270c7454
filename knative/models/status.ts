import { formatTraffic } from '#domain/traffic-text.ts';
import type { ModelResource } from '#domain/views.ts';
import type { Condition } from '../api/objects.ts';

/** What Rouse tells of a model in the cluster; its schema is in `status-schema.ts`. */
export interface ModelObjectStatus {
  readonly observedGeneration?: number;
  readonly state?: string;
  readonly url?: string;
  readonly split?: string;
  readonly instances?: number;
  readonly traffic?: ModelResource['status']['traffic'];
  readonly revisions?: readonly RevisionStatus[];
  readonly conditions?: readonly ModelCondition[];
}

interface RevisionStatus {
  readonly name: string;
  readonly runtime: string;
  readonly state: string;
  readonly reason: string;
  readonly createdAt: string;
}

interface ModelCondition extends Condition {
  readonly observedGeneration?: number;
}

/** Why the platform does not do as the object says: in one word, and in its own words. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

interface Seen {
  readonly generation: number;
  /** What was told before. */
  readonly before: ModelObjectStatus | undefined;
  /** The model, if it is this object's. */
  readonly model: ModelResource | undefined;
  readonly refusal: Refusal | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

/** All of a model's revisions may be 500; an object is read whole, again and again. */
const MOST_REVISIONS = 20;
const LONGEST_REASON = 500;

export function makeModelStatus(seen: Seen): ModelObjectStatus {
  const { generation, model, refusal } = seen;
  const accepted = refusal ? no(refusal) : yes('Accepted');
  const revisions = model ? judgeRevisions(model) : unknown('Pending', 'there are none yet');
  const verdicts = {
    Accepted: accepted,
    RevisionsReady: revisions,
    Ready: judge(refusal, revisions, model),
  };
  const conditions = Object.entries(verdicts).map(([type, verdict]) =>
    makeCondition(type, verdict, seen),
  );
  return { observedGeneration: generation, ...(model && describeModel(model)), conditions };
}

function makeCondition(
  type: string,
  verdict: Verdict,
  { generation, before, now }: Seen,
): ModelCondition {
  const known = before?.conditions?.find((each) => each.type === type);
  const since = known?.status === verdict.status ? known.lastTransitionTime : undefined;
  const lastTransitionTime = since ?? formatTime(now);
  return { type, ...verdict, lastTransitionTime, observedGeneration: generation };
}

function describeModel({ status }: ModelResource): ModelObjectStatus {
  return {
    state: status.state,
    url: status.addresses.host,
    split: formatTraffic(status.traffic, status.shadow),
    instances: status.instances.filter(({ state }) => state !== 'draining').length,
    traffic: status.traffic,
    revisions: status.revisions
      .slice(-MOST_REVISIONS)
      .toReversed()
      .map(({ name, runtime, state, reason, createdAt }) => ({
        name,
        runtime,
        state,
        reason: shorten(reason),
        createdAt: formatTime(createdAt),
      })),
  };
}

/** Of those that the spec names; where it names none, of the newest. */
function judgeRevisions({ spec, status }: ModelResource): Verdict {
  const declared = [spec.revision, ...(spec.revisions ?? [])].map((one) => one?.name);
  const named = [...declared, ...(spec.traffic ?? []).map(({ revision }) => revision)];
  const names = new Set([...named, status.revisions.at(-1)?.name]);
  const meant = status.revisions.filter(({ name }) => names.has(name));
  const failed = meant.filter(({ state }) => state === 'Failed');
  if (failed.length > 0) return no({ reason: 'RevisionFailed', message: tell(failed) });
  const open = meant.filter(({ state }) => state !== 'Ready');
  const [first] = open;
  return first ? unknown(first.state, tell(open)) : yes('Ready');
}

function judge(
  refusal: Refusal | undefined,
  revisions: Verdict,
  model: ModelResource | undefined,
): Verdict {
  if (refusal) {
    const served = model ? '; what was accepted before is served' : '';
    return no({ ...refusal, message: refusal.message + served });
  }
  if (revisions.status !== 'True' || !model) return revisions;
  if (model.status.state !== 'Failed') return yes('Ready');
  const routed = new Set(model.status.traffic.map(({ revision }) => revision));
  const served = model.status.revisions.filter(({ name }) => routed.has(name));
  return no({ reason: 'StartFailed', message: tell(served) });
}

function tell(revisions: readonly { name: string; reason: string }[]): string {
  return revisions.map(({ name, reason }) => `${name}: ${shorten(reason)}`).join('; ');
}

function yes(reason: string): Verdict {
  return { status: 'True', reason, message: '' };
}

function no({ reason, message }: Refusal): Verdict {
  return { status: 'False', reason, message };
}

function unknown(reason: string, message: string): Verdict {
  return { status: 'Unknown', reason, message };
}

function shorten(reason: string): string {
  return reason.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON)}…` : reason;
}

/** To the second, as the cluster writes it. */
function formatTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
