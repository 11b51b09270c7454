import { instancesOf } from '../measure/instances.ts';
import { deleteModel, hostOf, putModel } from '../measure/model.ts';
import { pause } from '../measure/until.ts';
import type { Rouse } from '../measure/rouse.ts';
import { callInTurn } from './raw-kinds.ts';
import type { Tally } from './tally.ts';

/** Models that are deployed, changed, deleted, killed and left alone while they are called. */

const MODELS = 6;
const STEP_MS = 300;
/** They sleep soon; who is called again is started again. */
const IDLE = '100ms';
const SILENCE_MS = 400;

export interface Churn {
  /** Calls one of them for a while, then leaves it alone until it sleeps. */
  readonly call: (index: number) => Promise<void>;
  /** One disturbance, and a pause. */
  readonly disturb: () => Promise<void>;
  readonly done: () => Readonly<Record<string, number>>;
}

function nameOf(index: number): string {
  return `churn-${index % MODELS}`;
}

export async function createChurn(rouse: Rouse, program: string, tally: Tally): Promise<Churn> {
  const done: Record<string, number> = { deploys: 0, deletions: 0, kills: 0 };

  async function deploy(name: string): Promise<void> {
    const revision = { runtime: 'command', args: [program, 'fd', '${LISTEN_FD}'] };
    const main = (done['deploys'] ?? 0) % 2 === 0 ? 'r0' : 'r1';
    await putModel(rouse, name, {
      revisions: [
        { name: 'r0', ...revision },
        { name: 'r1', ...revision, env: { OTHER: '1' } },
      ],
      traffic: [{ revision: main, percent: 100 }],
      scaling: { initial: 0, max: 2 },
      keepAlive: { policy: 'fixed', idle: IDLE },
    });
    done['deploys'] = (done['deploys'] ?? 0) + 1;
  }

  async function remove(name: string): Promise<void> {
    await deleteModel(rouse, name);
    done['deletions'] = (done['deletions'] ?? 0) + 1;
    await deploy(name);
  }

  function kill(): void {
    const pids = instancesOf(rouse.pid).filter(({ model }) => model.startsWith('churn-'));
    const victim = pids[Math.floor(Math.random() * pids.length)];
    if (!victim) return;
    try {
      process.kill(victim.pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
      return;
    }
    done['kills'] = (done['kills'] ?? 0) + 1;
  }

  async function disturb(): Promise<void> {
    const name = nameOf(Math.floor(Math.random() * MODELS));
    const dice = Math.random();
    if (dice < 0.4) kill();
    else if (dice < 0.9) await deploy(name);
    else await remove(name);
    await pause(STEP_MS);
  }

  for (let index = 0; index < MODELS; index++) await deploy(nameOf(index));
  return {
    async call(index) {
      const host = hostOf(nameOf(index));
      await callInTurn({ port: rouse.port, host, tally }, 'churn');
      await pause(SILENCE_MS);
    },
    disturb,
    done: () => done,
  };
}
