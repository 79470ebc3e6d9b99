import { onTestFinished } from 'vitest';

type Release = () => unknown;

const untilTheEnd: Release[] = [];

/** Calls `release` when the running test has finished, or outside of one (`beforeAll`) when its file has. Newest first. */
export function releaseAfterwards(release: Release): void {
  try {
    onTestFinished(async () => void (await release()));
  } catch {
    untilTheEnd.push(release);
  }
}

/** Releases what a file holds; the setup of every file calls it at the file's end. */
export async function releaseFile(): Promise<void> {
  for (const release of untilTheEnd.splice(0).reverse()) await release();
}
