/** Things to release, in the reverse of the order in which they were taken. */
export interface Releasers {
  /** Adds what undoes the step just taken. */
  add(release: () => void | Promise<void>): void;
  /** Releases everything, last first, also past one that fails; the first failure is thrown. Once: later calls wait for it. */
  release(): Promise<void>;
}

/** Makes an empty list of releasers. */
export function createReleasers(): Releasers {
  const releases: (() => void | Promise<void>)[] = [];
  let released: Promise<void> | null = null;

  async function releaseAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let release = releases.pop(); release; release = releases.pop()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    add: (release) => {
      releases.push(release);
    },
    release: () => {
      released ??= releaseAll();
      return released;
    },
  };
}
