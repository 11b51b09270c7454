import { createControlLink } from '#activator/link/control-link.ts';
import type { Waiter } from '#activator/gate/gate.ts';
import { RevisionMetrics } from '#activator/metrics/revision-metrics.ts';
import type { Routes } from '#activator/routes.ts';
import type { InstanceRoute } from '#activator/upstream/instance-route.ts';
import type { BusClient, BusHost, Link } from '#bus/bus.ts';
import type { Downward, Upward } from '#bus/messages.ts';
import { createEnding, createMailbox } from '#bus/mailbox.ts';
import type { RoutingInstance } from '#domain/routing.ts';
import { Timers } from '#lib/timers.ts';
import { NORMAL } from '#policies/priority.ts';
import { makeModel, makeRevision } from '#test/activator/harness.ts';
import { QueueFields } from '#test/activator/gate/queue-fields.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { type LeaseControl, startLeaseControl } from './lease-control.ts';

/**
 * Data planes and control, as they are, over links that a test delivers message by message, and cuts. The real
 * parts: the data plane's link to control with its gates; publisher, reports, leases, load book. What instances really have in flight
 * is counted here.
 */

const REVISION = 'default/m/v1';
/** More messages than any history of these tests needs to come to rest. */
const MANY = 100_000;
/** What a killed process left running at an instance ends within this: less than the leases wait. */
const NOTICE_MS = 100;

interface Wire {
  /** As the data plane sees it. */
  readonly isOpen: boolean;
  /** Everything that the data plane has sent. */
  readonly sent: readonly Upward[];
  /** One message of this direction arrives. */
  deliver(direction: 'up' | 'down'): boolean;
  /** The next message to the data plane is lost, if it tells of a change of the state; the link goes on. */
  lose(): void;
  /** The data plane's end closes; what it had sent may still arrive, what was sent to it does not. */
  breakOff(): void;
  /** Control notices. */
  end(): void;
}

function createWire(host: (link: Link<Downward, Upward>) => void) {
  const up: Upward[] = [];
  const down: Downward[] = [];
  const sent: Upward[] = [];
  const endings = { near: createEnding(), far: createEnding() };
  const inbox = createMailbox<Downward>();
  const outbox = createMailbox<Upward>();
  function end(): void {
    up.length = 0;
    down.length = 0;
    endings.near.end();
    endings.far.end();
  }
  const near: Link<Upward, Downward> = {
    send(message) {
      if (endings.near.ended) return;
      sent.push(message);
      up.push(structuredClone(message));
    },
    onMessage: inbox.listen,
    onClose: endings.near.onEnd,
    close: end,
  };
  host({
    send: (message) => void (endings.far.ended || down.push(structuredClone(message))),
    onMessage: outbox.listen,
    onClose: endings.far.onEnd,
    close: end,
  });
  const wire: Wire = {
    sent,
    get isOpen() {
      return !endings.near.ended;
    },
    deliver(direction) {
      if (direction === 'up') {
        const message = up.shift();
        if (message) {
          outbox.deliver(message);
        }
        return message !== undefined;
      }
      const message = endings.near.ended ? undefined : down.shift();
      if (message) {
        inbox.deliver(message);
      }
      return message !== undefined;
    },
    lose() {
      if (down[0]?.type === 'snapshot' || down[0]?.type === 'delta') down.shift();
    },
    breakOff() {
      down.length = 0;
      endings.near.end();
    },
    end,
  };
  return { wire, near };
}

class Request extends QueueFields implements Waiter<InstanceRoute> {
  readonly heldBytes = 0;
  readonly callerId = 'somebody';
  readonly priority = NORMAL;
  readonly arrivedAt = 0;
  private readonly granted: (instance: InstanceRoute) => void;

  constructor(granted: (instance: InstanceRoute) => void) {
    super();
    this.granted = granted;
  }

  onGranted(instance: InstanceRoute): void {
    this.granted(instance);
  }

  onRefused(): void {
    throw new Error('nobody is refused here');
  }
}

export interface Plane {
  readonly id: string;
  readonly routes: Routes;
  readonly running: InstanceRoute[];
  /** Granted so far. */
  grants: number;
  messages: number;
  wire: Wire | undefined;
  connect(): void;
  kill(): void;
}

export function createWorld(concurrency: number) {
  const clock = createFakeClock();
  const planes = new Map<string, Plane>();
  const instances = new Map<string, RoutingInstance>();
  /** Of killed processes: what instances have not noticed yet. */
  const lastWords: Wire[] = [];
  let ghosts: { instance: string; until: number }[] = [];
  let control: (LeaseControl & { accept: (link: Link<Downward, Upward>) => void }) | undefined;
  let epoch = 0;
  let born = 0;

  function makeInstance(id: string): RoutingInstance {
    const address = { node: 'n', socket: `/nowhere/${id}` };
    const times = { askedAt: 0, startedAt: 0, readyAt: 0 };
    return { id, revision: REVISION, address, state: 'ready', leased: true, ...times };
  }

  function startPlane(): Plane {
    const id = `plane-${(born += 1)}`;
    let listener: (link: Link<Upward, Downward>) => void = () => {};
    const client: BusClient = { onLink: (wanted) => (listener = wanted), close: async () => {} };
    const timers = new Timers(clock);
    const { routes } = createControlLink({
      client,
      dataPlane: id,
      domain: 'localhost',
      clock,
      timers,
      roll: () => 0.5,
    });
    const plane: Plane = {
      id,
      routes,
      running: [],
      grants: 0,
      messages: 0,
      wire: undefined,
      connect() {
        if (!control || plane.wire?.isOpen === true) return;
        const { wire, near } = createWire(control.accept);
        plane.wire = wire;
        listener(near);
      },
      kill() {
        planes.delete(id);
        timers.close();
        plane.wire?.breakOff();
        if (plane.wire) lastWords.push(plane.wire);
        const until = clock.now() + NOTICE_MS;
        ghosts.push(...plane.running.map((instance) => ({ instance: instance.id, until })));
      },
    };
    planes.set(id, plane);
    plane.connect();
    return plane;
  }

  function startControl(): void {
    if (control) return;
    const links = createMailbox<Link<Downward, Upward>>();
    const host: BusHost = { onLink: links.listen, close: async () => {} };
    const revision = makeRevision({ concurrency });
    const models = [makeModel({ name: 'm', revisions: [revision] })];
    const made = startLeaseControl({
      host,
      epoch: `${(epoch += 1)}`,
      clock,
      models,
      instances: [...instances.values()],
      concurrency,
      alive: [...planes.keys()],
    });
    control = { ...made, accept: links.deliver };
  }

  function runningAt(instance: string): number {
    ghosts = ghosts.filter(({ until }) => until > clock.now());
    const ofPlanes = [...planes.values()].flatMap(({ running }) => running);
    return (
      ofPlanes.filter(({ id }) => id === instance).length +
      ghosts.filter((ghost) => ghost.instance === instance).length
    );
  }

  return {
    clock,
    planes,
    instances,
    startPlane,
    startControl,
    get control() {
      return control;
    },
    /** A crash: links break, and nothing is told. */
    stopControl(): void {
      control?.leases.close();
      control = undefined;
      for (const plane of planes.values()) plane.wire?.end();
    },
    startInstance(): void {
      const id = `i${(born += 1)}`;
      const instance = makeInstance(id);
      instances.set(id, instance);
      control?.publisher.update({ instances: [instance] });
      control?.leases.begin({ id, revision: REVISION, capacity: concurrency, isNew: true });
    },
    loseInstance(id: string): void {
      instances.delete(id);
      control?.publisher.update({ removedInstances: [id] });
      control?.leases.end(id);
      for (const plane of planes.values()) {
        for (const instance of plane.running.filter((one) => one.id === id))
          this.finish(plane, instance);
      }
    },
    /** The supervisor tells who lives. */
    list(): void {
      control?.list([...planes.keys()]);
    },
    arrive(plane: Plane): void {
      const route = plane.routes.findRevision(REVISION);
      if (!route) return;
      // As for every request that is routed: without it, nothing of its load is reported.
      route.metrics ??= new RevisionMetrics('default', 'm', 'v1');
      route.metrics.arrived();
      route.gate.enter(
        new Request((instance) => {
          plane.grants += 1;
          plane.running.push(instance);
        }),
        1000,
      );
    },
    finish(plane: Plane, instance: InstanceRoute | undefined): void {
      if (!instance) return;
      plane.running.splice(plane.running.indexOf(instance), 1);
      instance.gate.leave(instance);
    },
    sent: (plane: Plane): readonly Upward[] => plane.wire?.sent ?? [],
    waitingAt: (plane: Plane): number => plane.routes.findRevision(REVISION)?.gate.waiting ?? 0,
    /** Everything that is on its way arrives. */
    deliverAll(): number {
      let count = 0;
      for (let before = -1; count > before;) {
        before = count;
        for (const { wire } of planes.values()) {
          while (wire?.deliver('up') || wire?.deliver('down')) {
            count += 1;
            if (count > MANY) throw new Error('they talk without end');
          }
        }
      }
      return count;
    },
    /** A message that a process had sent before it was killed. */
    deliverLate(): void {
      lastWords.find((wire) => wire.deliver('up'));
    },
    /** At most as many as it takes at once, whoever sent them. */
    overloaded(): string[] {
      const known = [...planes.values()].flatMap(({ running }) => running.map(({ id }) => id));
      const all = new Set([...instances.keys(), ...known]);
      return [...all].filter((id) => runningAt(id) > concurrency);
    },
  };
}

export type World = ReturnType<typeof createWorld>;
