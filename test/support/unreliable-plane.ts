import type { Wake, WakeListener, WakeupPlane } from '../../src/wakeups/plane.ts';

/** What happens to a wake on its way. */
export type WakeFate = 'told' | 'told later' | 'told twice' | 'told without its chunk' | 'lost';

/** A plane that does to wakes everything that the plane's contract allows. */
export interface UnreliablePlane extends WakeupPlane {
  /** Returns the number of registered listeners. */
  listeners(): number;
}

/**
 * Creates an unreliable plane. Registration takes effect between two turns, and late wakes are delivered
 * after a separate turn, so the caller who schedules turns may reorder them.
 */
export function createUnreliablePlane(
  nextFate: () => WakeFate,
  turn: (step: string) => Promise<unknown>,
): UnreliablePlane {
  const registered = new Set<{ readonly run: number | null; readonly listener: WakeListener }>();

  function tell(wake: Wake): void {
    for (const { run, listener } of [...registered]) if (run === null || run === wake.run) listener(wake);
  }

  async function tellLater(wake: Wake): Promise<void> {
    await turn('wake');
    tell(wake);
  }

  function carry(wake: Wake): void {
    const fate = nextFate();
    switch (fate) {
      case 'told':
        tell(wake);
        return;
      case 'told later':
        void tellLater(wake);
        return;
      case 'told twice':
        tell(wake);
        void tellLater(wake);
        return;
      case 'told without its chunk':
        tell({ ...wake, chunk: null });
        return;
      case 'lost':
        return;
      default:
        fate satisfies never;
    }
  }

  async function register(run: number | null, listener: WakeListener): Promise<() => void> {
    const entry = { run, listener };
    await turn('listen begins');
    registered.add(entry);
    await turn('listen answers');
    return () => registered.delete(entry);
  }

  return {
    publish: (wakes) => {
      for (const wake of wakes) carry(wake);
    },
    listen: register,
    listenToAll: (listener) => register(null, listener),
    listeners: () => registered.size,
  };
}
