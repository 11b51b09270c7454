import type {
  ProgramEnd,
  ProgramOrder,
  ProgramRun,
  ProgramRunner,
} from '#control/jobs/program-runner.ts';

/** A program that runs until a test says how it ends. */
export interface FakeProgram {
  readonly order: ProgramOrder;
  readonly isEnded: boolean;
  end(how: ProgramEnd): void;
}

export interface FakePrograms extends ProgramRunner {
  readonly started: FakeProgram[];
  readonly cleared: string[];
  /** What programs wait for. */
  waits: string | undefined;
  /** Of one that outlives Rouse: it is not found any more. */
  vanish(id: string): void;
}

const ENDED: ProgramEnd = { kind: 'lost', why: 'it was ended' };
const LEFT: ProgramEnd = { kind: 'lost', why: 'nobody waits for it' };
const NONE: ProgramEnd = { kind: 'lost', why: 'there is none' };

/** `outlives`: what runs when Rouse ends goes on. */
export function createFakePrograms({ outlives = false } = {}): FakePrograms {
  const started: FakeProgram[] = [];
  const cleared: string[] = [];
  /** Those that are there, by their jobs. */
  const living = new Map<string, { ended: Promise<ProgramEnd>; end(how: ProgramEnd): void }>();

  function begin(order: ProgramOrder): void {
    const ended = Promise.withResolvers<ProgramEnd>();
    let isEnded = false;
    const end = (how: ProgramEnd): void => {
      isEnded = true;
      ended.resolve(how);
    };
    living.set(order.id, { ended: ended.promise, end });
    started.push({
      order,
      get isEnded() {
        return isEnded;
      },
      end,
    });
  }

  function follow({ id }: ProgramOrder): ProgramRun {
    const one = living.get(id);
    const left = Promise.withResolvers<ProgramEnd>();
    const end = async (): Promise<void> => one?.end(ENDED);
    const leave = async (): Promise<void> => left.resolve(LEFT);
    const ended = one ? Promise.race([one.ended, left.promise]) : Promise.resolve(NONE);
    const waitsFor = (): string | undefined => programs.waits;
    return { ended, waitsFor, end, leave: outlives ? leave : end };
  }

  const programs: FakePrograms = {
    started,
    cleared,
    waits: undefined,
    async check() {},
    start(order) {
      begin(order);
      return follow(order);
    },
    ...(outlives && {
      resume: follow,
      take: async () => ({ digest: 'a'.repeat(64), size: 1, name: 'output', kind: 'folder' }),
    }),
    vanish: (id) => void living.delete(id),
    async clear({ id }) {
      living.delete(id);
      cleared.push(id);
    },
    inUse: () => [],
    logs: async () => [],
  };
  return programs;
}
