/** Collects resources to release in reverse order of acquisition. */
export interface Releasers {
  /** Adds the function that undoes the step just taken. */
  add(release: () => void | Promise<void>): void;
  /**
   * Releases everything, last first, and continues after failures. Throws the first failure. Runs once: later
   * calls wait for the same release.
   */
  release(): Promise<void>;
}

/** Creates an empty list of releasers. */
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
