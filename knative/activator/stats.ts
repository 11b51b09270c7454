import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** What Knative's autoscaler is told of a revision. */
export interface Stat {
  readonly namespace: string;
  readonly revision: string;
  /** Mean number of requests, those that wait counted. */
  readonly concurrency: number;
  /** Requests that came. */
  readonly count: number;
}

/** `WireStatMessages` of serving's `pkg/autoscaler/metrics/stat.proto`; what is 0 is left out, as in proto3. */
export function encodeStats(podName: string, stats: readonly Stat[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const stat of stats) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(stat.namespace);
    writer.tag(2, WireType.LengthDelimited).string(stat.revision);
    writer.tag(3, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(podName);
    if (stat.concurrency !== 0) writer.tag(2, WireType.Bit64).double(stat.concurrency);
    if (stat.count !== 0) writer.tag(4, WireType.Bit64).double(stat.count);
    writer.join().join();
  }
  return writer.finish();
}
