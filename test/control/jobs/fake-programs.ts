import type { ProgramEnd, ProgramOrder, ProgramRunner } from '#control/jobs/program-runner.ts';

/** A program that runs until a test says how it ends. */
export interface FakeProgram {
  readonly order: ProgramOrder;
  readonly isEnded: boolean;
  end(how: ProgramEnd): void;
}

export interface FakePrograms extends ProgramRunner {
  readonly started: FakeProgram[];
  readonly cleared: string[];
}

export function createFakePrograms(): FakePrograms {
  const started: FakeProgram[] = [];
  const cleared: string[] = [];
  return {
    started,
    cleared,
    async check() {},
    start(order) {
      const ended = Promise.withResolvers<ProgramEnd>();
      let isEnded = false;
      const end = (how: ProgramEnd): void => {
        isEnded = true;
        ended.resolve(how);
      };
      started.push({
        order,
        get isEnded() {
          return isEnded;
        },
        end,
      });
      return {
        ended: ended.promise,
        async end() {
          end({ kind: 'lost', why: 'it was ended' });
        },
      };
    },
    async clear({ id }) {
      cleared.push(id);
    },
    inUse: () => [],
  };
}
