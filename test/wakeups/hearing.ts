import type { Wake, WakeupPlane } from '../../src/wakeups/plane.ts';

/** Records what a listener receives, in order. */
export interface Hearing<Heard> {
  readonly heard: readonly Heard[];
  hear(item: Heard): void;
  /** Resolves when a matching item has been received, now or earlier. */
  until(found: (item: Heard) => boolean): Promise<void>;
}

/** Creates an empty recording. */
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

/** Records all wakes of a plane. */
export async function hearAll(plane: WakeupPlane): Promise<Hearing<Wake>> {
  const hearing = createHearing<Wake>();
  await plane.listenToAll(hearing.hear);
  return hearing;
}

/** Returns an `appended` wake without a chunk. `more` overrides its fields. */
export function wakeOf(run: number, more: Partial<Wake> = {}): Wake {
  return { run, workspace: 'default', kind: 'appended', lastSeq: 0, chunk: null, ...more };
}
