import { onTestFinished } from 'vitest';

type Release = () => unknown;

const untilTheEnd: Release[] = [];

/**
 * Calls `release` after the running test, or after the file if no test is running (`beforeAll`). Newest
 * first.
 */
export function releaseAfterwards(release: Release): void {
  try {
    onTestFinished(async () => void (await release()));
  } catch {
    untilTheEnd.push(release);
  }
}

/** Releases everything that a file registered. The setup of every file calls this at the end of the file. */
export async function releaseFile(): Promise<void> {
  for (const release of untilTheEnd.splice(0).reverse()) await release();
}
