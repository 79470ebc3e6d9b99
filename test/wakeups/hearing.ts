import type { Wake, WakeupPlane } from '../../src/wakeups/plane.ts';

/** What somebody hears of, in order. */
export interface Hearing<Heard> {
  readonly heard: readonly Heard[];
  hear(item: Heard): void;
  /** Resolves when something like that has been heard, now or earlier. */
  until(found: (item: Heard) => boolean): Promise<void>;
}

/** An ear that has heard nothing yet. */
export function createHearing<Heard>(): Hearing<Heard> {
  const heard: Heard[] = [];
  const waiting = new Set<() => void>();
  return {
    heard,
    hear: (item) => {
      heard.push(item);
      for (const look of [...waiting]) look();
    },
    until: (found) =>
      new Promise((resolve) => {
        const look = () => {
          if (!heard.some(found)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

/** Hears all that a plane tells. */
export async function hearAll(plane: WakeupPlane): Promise<Hearing<Wake>> {
  const hearing = createHearing<Wake>();
  await plane.listenToAll(hearing.hear);
  return hearing;
}

/** A wake of a run that grew, without its chunk unless told otherwise. */
export function wakeOf(run: number, more: Partial<Wake> = {}): Wake {
  return { run, workspace: 'default', kind: 'appended', lastSeq: 0, chunk: null, ...more };
}
