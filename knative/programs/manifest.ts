import { posix } from 'node:path';
import {
  ENV_ARTIFACTS_URL,
  ENV_DATA,
  ENV_INPUTS,
  ENV_JOB,
  ENV_MODEL,
  ENV_NAMESPACE,
  ENV_OUTPUT,
  ENV_OUTPUT_KEY,
  ENV_OUTPUT_URL,
  ENV_PARENT,
  ENV_REVISION,
  ENV_WORK,
} from '#domain/launch.ts';
import type { ProgramInput } from '#domain/pod-environment.ts';
import type { ProgramSpec } from '#domain/program-job.ts';
import { type ArtifactRef, artifactRef } from '#domain/records.ts';
import { jsonOf } from '#lib/json.ts';
import type { EnvVar, Job, JobContainer, JobPodSpec, Texts } from '../api/objects.ts';
import { makeAmounts, makeUserEnv, onceEach, type Servers } from '../manifests/container.ts';
import {
  type JobName,
  makeJobPodLabels,
  makeKeeperAnnotation,
  makeOwnJobLabels,
} from '../manifests/labels.ts';
import { programJobName } from '../manifests/names.ts';
import { CONFINED, USER } from '../manifests/own-image.ts';

/**
 * The program of a job, as a Job of one pod, whose containers run one after the other: `fetch` brings what it is given,
 * `program` is the program itself, in Rouse's image or in one of its own, `leave` hands over what it has left.
 */

export interface ProgramJob extends JobName {
  readonly attempt: number;
  readonly spec: ProgramSpec;
  readonly inputs: ProgramInputs;
  /** The revision that the next one is made from. Absent: none is made, and what it leaves is not looked at. */
  readonly parent?: string | undefined;
}

/** What it is given, as stored content. */
export type ProgramInputs = { readonly [P in ProgramInput['place']]?: ArtifactRef };

/** What all programs of a Rouse have in common. */
export interface ProgramOutfit {
  readonly servers: Servers;
  /** Starts a step of ours; its name follows. */
  readonly step: readonly string[];
  /** What a program in Rouse's image starts with, unless its job says otherwise. */
  readonly env: Texts;
  /** Where one attempt hands over what it has left, and what opens that. */
  outputUrl(job: JobName & { readonly attempt: number }): string;
  outputKey(job: JobName & { readonly attempt: number }): string;
}

export const FETCH = 'fetch';
export const PROGRAM = 'program';
export const LEAVE = 'leave';
const ATTEMPT = 'rouse.dev/attempt';
const DATA = 'rouse.dev/data';
/** Rouse removes it when its job has ended; this is for the case that Rouse has gone. */
const KEPT_SECONDS = 86_400;
const WORK = { name: 'work', mountPath: '/rouse' };
const TMP = { name: 'tmp', mountPath: '/tmp' };
/** Beside what it is given: what it leaves, twice, and its own files. */
const WORK_BYTES = 16 * 2 ** 30;
const TMP_BYTES = 2 ** 30;
/** Where the step that hands over tells the digest of it. */
const RESULT = '/dev/termination-log';

export function makeProgramJob(job: ProgramJob, outfit: ProgramOutfit): Job {
  const { namespace, id, attempt, inputs } = job;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      namespace,
      name: programJobName(namespace, id),
      labels: { ...makeOwnJobLabels(job), [ATTEMPT]: String(attempt) },
      annotations: {
        ...makeKeeperAnnotation(outfit.servers.artifactsUrl),
        ...(inputs.data && { [DATA]: JSON.stringify(inputs.data) }),
      },
    },
    spec: {
      completions: 1,
      parallelism: 1,
      // How often it is begun again is control's to say, and to count.
      backoffLimit: 0,
      podReplacementPolicy: 'Failed',
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: {
        metadata: { labels: makeJobPodLabels(job, 'program') },
        spec: makePodSpec(job, outfit),
      },
    },
  };
}

/** Whether it is this attempt's. */
export function isAttempt(attempt: number, { metadata: { labels = {} } }: Job): boolean {
  return labels[ATTEMPT] === String(attempt);
}

/** The data that it was given. */
export function dataOf({ metadata: { annotations = {} } }: Job): ArtifactRef | undefined {
  const text = annotations[DATA];
  return artifactRef.safeParse(text === undefined ? undefined : jsonOf(text)).data;
}

function makePodSpec(job: ProgramJob, outfit: ProgramOutfit): JobPodSpec {
  const steps = [
    makeFetch(job, outfit),
    makeProgram(job, outfit),
    ...(job.parent === undefined ? [] : [makeLeave(job, outfit)]),
  ];
  const given = Object.values(job.inputs).reduce((sum, { size }) => sum + size, 0);
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    // It is killed when nobody waits for it any more.
    terminationGracePeriodSeconds: 1,
    // What the steps write has this group, and what another image's user writes, too.
    securityContext: { fsGroup: USER, fsGroupChangePolicy: 'OnRootMismatch' },
    initContainers: steps.slice(0, -1),
    containers: steps.slice(-1),
    volumes: [
      // What is fetched is there twice for a moment.
      { name: WORK.name, emptyDir: { sizeLimit: String(2 * given + WORK_BYTES) } },
      { name: TMP.name, emptyDir: { sizeLimit: String(TMP_BYTES) } },
    ],
  };
}

function makeFetch({ inputs }: ProgramJob, outfit: ProgramOutfit): JobContainer {
  const { artifactsUrl } = outfit.servers;
  const given = Object.entries(inputs).map(([place, { digest, size, name, kind }]) => ({
    place,
    artifact: { digest, size, name, kind },
    key: outfit.servers.artifactKey(digest),
  }));
  return makeStep(FETCH, outfit, {
    [ENV_ARTIFACTS_URL]: artifactsUrl,
    [ENV_INPUTS]: JSON.stringify(given),
  });
}

function makeLeave(job: ProgramJob, outfit: ProgramOutfit): JobContainer {
  const step = makeStep(LEAVE, outfit, {
    [ENV_OUTPUT_URL]: outfit.outputUrl(job),
    [ENV_OUTPUT_KEY]: outfit.outputKey(job),
  });
  return { ...step, args: [RESULT] };
}

function makeStep(name: string, { servers, step }: ProgramOutfit, env: Texts): JobContainer {
  return {
    name,
    image: servers.image,
    command: [...step, name],
    env: toEnv({ [ENV_WORK]: WORK.mountPath, ...env }).map(takeLiterally),
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    volumeMounts: [WORK, TMP],
    securityContext: CONFINED,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

function makeProgram(job: ProgramJob, { servers, env }: ProgramOutfit): JobContainer {
  const { spec } = job;
  const { memory, cpu } = spec.resources.limits ?? {};
  const limits = makeAmounts(memory, cpu);
  const isOurs = spec.runtime === 'command';
  const own = isOurs ? toEnv({ ...env, HOME: TMP.mountPath, TMPDIR: TMP.mountPath }) : [];
  const all = onceEach([...own, ...makeUserEnv(spec), ...toEnv(makeIdentity(job))]);
  return {
    name: PROGRAM,
    ...(isOurs ? makeCommand(job, servers.image) : makeGiven(spec)),
    env: all.map(takeLiterally),
    resources: limits ? { limits } : {},
    // Of a program that ends, the last lines become the reason.
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

type Begun = Omit<JobContainer, 'name' | 'env' | 'resources' | 'terminationMessagePolicy'>;

/** The user's own image, as it is. */
function makeGiven({ source = '', args }: ProgramSpec): Begun {
  const own = args.length > 0 && { args: args.map(escape) };
  return { image: source, ...own, volumeMounts: [WORK] };
}

function makeCommand({ spec: { args }, inputs: { source } }: ProgramJob, image: string): Begun {
  const path = source && pathOf('source', source);
  const [program = '', ...rest] = args.map((arg) =>
    path === undefined ? arg : arg.replaceAll('${SOURCE}', path),
  );
  // Relative to the folder of its source, as on one machine.
  const folder = source?.kind === 'folder' ? path : undefined;
  const isRelative = program.includes('/') && folder !== undefined;
  const found = isRelative ? posix.resolve(folder, program) : program;
  return {
    image,
    command: [found, ...rest].map(escape),
    workingDir: `${WORK.mountPath}/work`,
    volumeMounts: [WORK, TMP],
    securityContext: CONFINED,
  };
}

/** Who it is, and what it is given: nothing can override it. */
function makeIdentity({ namespace, id, spec, inputs, parent }: ProgramJob): Texts {
  return {
    [ENV_NAMESPACE]: namespace,
    [ENV_JOB]: id,
    [ENV_OUTPUT]: `${WORK.mountPath}/output`,
    ...(spec.model !== undefined && { [ENV_MODEL]: spec.model }),
    ...(parent !== undefined && { [ENV_REVISION]: parent }),
    ...(inputs.parent && { [ENV_PARENT]: pathOf('parent', inputs.parent) }),
    ...(inputs.data && { [ENV_DATA]: pathOf('data', inputs.data) }),
  };
}

function pathOf(place: ProgramInput['place'], { name }: ArtifactRef): string {
  return `${WORK.mountPath}/${place}/${name}`;
}

function toEnv(texts: Texts): EnvVar[] {
  return Object.entries(texts).map(([name, value]) => ({ name, value }));
}

function takeLiterally(variable: EnvVar): EnvVar {
  return 'value' in variable ? { ...variable, value: escape(variable.value) } : variable;
}

/** Kubernetes fills in `$(NAME)`, and takes `$$` for a dollar. */
function escape(text: string): string {
  return text.replaceAll('$', '$$$$');
}
