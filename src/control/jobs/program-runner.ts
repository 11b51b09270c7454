import { ownModelName } from '#domain/job.ts';
import { revisionKey } from '#domain/names.ts';
import type { ProgramMetrics, ProgramSpec } from '#domain/program-job.ts';
import type { ArtifactRef } from '#domain/records.ts';
import type { LogLine } from '#runtime/runtime.ts';

/** Runs programs to their end, and keeps what they leave. */
export interface ProgramRunner {
  /** Throws the Fault that says why it cannot be run here. Nothing is started. */
  check(order: ProgramOrder): Promise<void>;
  /** From the beginning: of a former attempt nothing is left. */
  start(order: ProgramOrder): ProgramRun;
  /** Goes on with what a former Rouse has begun; it is `lost` where there is no such thing. Absent: nothing outlives it. */
  readonly resume?: (order: ProgramOrder) => ProgramRun;
  /** Removes all that was made for it but what it left. Repeatable. */
  clear(job: Pick<ProgramOrder, 'namespace' | 'id'>): Promise<void>;
  /** Digests of content that programs which run now have got. */
  inUse(): readonly string[];
  /** Stores what a pod hands over, as `#lib/folder-stream.ts` says. Absent: there are no pods. */
  readonly take?: (content: AsyncIterable<Uint8Array>) => Promise<ArtifactRef>;
  /** The last lines that it wrote, oldest first. */
  logs(job: Pick<ProgramOrder, 'namespace' | 'id'>, limit: number): Promise<readonly LogLine[]>;
}

/** All that has to be known. */
export interface ProgramOrder {
  readonly namespace: string;
  readonly id: string;
  /** From 1 on; 0: it is only looked at. */
  readonly attempt: number;
  readonly spec: ProgramSpec;
  /** What the next revision is made from; absent: none is made. */
  readonly parent?: { readonly revision: string; readonly artifact: ArtifactRef };
}

export interface ProgramRun {
  /** Never rejects. */
  readonly ended: Promise<ProgramEnd>;
  /** What it waits for before it begins; undefined: nothing. Absent: none ever waits. */
  readonly waitsFor?: () => string | undefined;
  /** Kills it and all that it has started. Resolves when they have ended. */
  end(): Promise<void>;
  /** Rouse ends: what can do without it goes on, all else is killed. It is followed no more, and `ended` resolves. */
  leave(): Promise<void>;
}

export type ProgramEnd =
  | { readonly kind: 'done'; readonly result: ProgramResult }
  /** By itself, or what it left is not right. */
  | { readonly kind: 'failed'; readonly why: string }
  /** By no doing of its own. */
  | { readonly kind: 'lost'; readonly why: string };

export interface ProgramResult {
  readonly seconds: number;
  /** Absent, as the next: nobody has measured it. */
  readonly cpuSeconds?: number;
  readonly memoryBytes?: number;
  readonly data?: ArtifactRef;
  /** Where there is a parent. */
  readonly made?: { readonly artifact: ArtifactRef } & ProgramMetrics;
}

/** Key of its output in the runtime's logs. */
export function programKey({ namespace, id }: Pick<ProgramOrder, 'namespace' | 'id'>): string {
  return revisionKey(namespace, ownModelName(id), 'program');
}
