import { afterAll, onTestFinished } from 'vitest';

type Release = () => unknown;

const untilTheEnd: Release[] = [];

// Registered when the file that imports this is collected, hence run last: Vitest runs these hooks newest first.
afterAll(async () => {
  for (const release of untilTheEnd.splice(0).reverse()) await release();
});

/** Calls `release` when the running test has finished, or outside of one (`beforeAll`) when its file has. Newest first. */
export function releaseAfterwards(release: Release): void {
  try {
    onTestFinished(async () => void (await release()));
  } catch {
    untilTheEnd.push(release);
  }
}
