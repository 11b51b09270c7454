/** What Rouse reads of the objects of a cluster; what it does not read is not here. Anything may be missing. */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export type Texts = Readonly<Record<string, string>>;

/** Who has set fields, and when last. */
export interface FieldsEntry {
  readonly manager?: string;
  readonly subresource?: string;
  readonly time?: string;
}

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Texts;
    readonly annotations?: Texts;
    readonly ownerReferences?: readonly OwnerReference[];
    readonly finalizers?: readonly string[];
    readonly managedFields?: readonly FieldsEntry[];
  };
}

/** `namespace/name`; no two of a kind share one. */
export function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

interface Conditions {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

/** A row of a Knative Service's traffic. */
export interface TrafficEntry {
  readonly revisionName?: string;
  readonly latestRevision?: boolean;
  readonly percent?: number;
  readonly tag?: string;
}

export interface ConfigMap extends KubeObject {
  readonly data?: Texts;
}

export interface KnativeService extends KubeObject {
  readonly spec?: {
    readonly template?: RevisionTemplate;
    readonly traffic?: readonly TrafficEntry[];
  };
  readonly status?: Conditions & { readonly latestCreatedRevisionName?: string };
}

export interface KnativeRevision extends KubeObject {
  readonly status?: Conditions;
}

export interface PodAutoscaler extends KubeObject {
  readonly status?: Conditions;
}

export interface ContainerStatus {
  readonly name: string;
  readonly restartCount?: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: Terminated;
}

export interface Terminated {
  readonly exitCode?: number;
  readonly signal?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
}

interface PodContainer {
  readonly name: string;
  readonly image?: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly resources?: { readonly limits?: Texts };
}

export interface Pod extends KubeObject {
  readonly spec?: {
    readonly initContainers?: readonly PodContainer[];
    readonly containers?: readonly PodContainer[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly podIP?: string;
    readonly conditions?: readonly Condition[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** The part of a Knative Service that becomes a Revision. */
export interface RevisionTemplate {
  readonly metadata: {
    readonly name: string;
    readonly labels: Texts;
    readonly annotations: Texts;
  };
  readonly spec: RevisionPodSpec;
}

export interface RevisionPodSpec {
  readonly containerConcurrency: number;
  readonly timeoutSeconds: number;
  readonly responseStartTimeoutSeconds: number;
  readonly idleTimeoutSeconds?: number;
  readonly automountServiceAccountToken: boolean;
  readonly enableServiceLinks: boolean;
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env: readonly EnvVar[];
  readonly resources: { readonly requests?: Texts; readonly limits?: Texts };
  readonly readinessProbe?: Probe;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly terminationMessagePolicy: string;
}

export type EnvVar =
  | { readonly name: string; readonly value: string }
  | {
      readonly name: string;
      readonly valueFrom: {
        readonly secretKeyRef: { readonly name: string; readonly key: string };
      };
    };

export type Probe =
  | { readonly httpGet: { readonly path: string; readonly port: number } }
  | { readonly grpc: { readonly port: number; readonly service: string } };

export interface Volume {
  readonly name: string;
  readonly emptyDir: { readonly sizeLimit: string };
}

export interface Job extends KubeObject {
  readonly spec?: {
    /** The pods of an Indexed Job are numbered from 0 on. */
    readonly completionMode?: 'Indexed';
    readonly completions: number;
    readonly parallelism: number;
    readonly backoffLimit?: number;
    readonly backoffLimitPerIndex?: number;
    readonly maxFailedIndexes?: number;
    readonly podReplacementPolicy: 'Failed';
    readonly podFailurePolicy?: { readonly rules: readonly Readonly<Record<string, unknown>>[] };
    readonly ttlSecondsAfterFinished: number;
    readonly template: {
      readonly metadata: { readonly labels: Texts };
      readonly spec: JobPodSpec;
    };
  };
  readonly status?: Conditions;
}

export interface JobContainer extends Omit<Container, 'ports'> {
  readonly command?: readonly string[];
  readonly workingDir?: string;
}

export interface JobPodSpec {
  readonly restartPolicy: 'Never';
  readonly automountServiceAccountToken: boolean;
  readonly enableServiceLinks: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly initContainers?: readonly JobContainer[];
  readonly containers: readonly JobContainer[];
  readonly volumes: readonly (
    | Volume
    | { readonly name: string; readonly persistentVolumeClaim: { readonly claimName: string } }
  )[];
}
