import type { WakeListener, WakeupPlane } from './plane.ts';

/** Creates the plane for one process: `publish` calls the listeners, and `listen` registers synchronously. */
export function createLocalPlane(): WakeupPlane {
  const byRun = new Map<number, Set<WakeListener>>();
  const all = new Set<WakeListener>();
  return {
    publish: (wakes) => {
      for (const wake of wakes) {
        for (const listener of byRun.get(wake.run) ?? []) listener(wake);
        for (const listener of all) listener(wake);
      }
    },
    listen: async (run, listener) => {
      const listeners = byRun.get(run) ?? new Set();
      byRun.set(run, listeners.add(listener));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && byRun.get(run) === listeners) byRun.delete(run);
      };
    },
    listenToAll: async (listener) => {
      all.add(listener);
      return () => all.delete(listener);
    },
  };
}
