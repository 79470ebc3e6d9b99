import { existsSync, readFileSync } from 'node:fs';

const SAMPLES = new URL('../../../shared/fly/samples/', import.meta.url);

/** True if recorded samples of the real API are available. */
export const haveFlySamples = existsSync(SAMPLES);

if (!haveFlySamples)
  console.warn(`${SAMPLES.pathname} does not exist: tests that need samples of Fly are skipped.`);

/** Returns a sample as parsed JSON. */
export function flySample(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, SAMPLES), 'utf8'));
}

/** An answer of the real API, with the name of the case. */
export interface FlyErrorSample {
  readonly case: string;
  readonly http: number;
  readonly body?: unknown;
  /** The body if it is not JSON. */
  readonly raw?: string;
}

/** Returns all samples of errors. Empty if there are no samples. */
export function flyErrorSamples(): readonly FlyErrorSample[] {
  if (!haveFlySamples) return [];
  const { errors }: { errors: readonly FlyErrorSample[] } = JSON.parse(
    readFileSync(new URL('errors.json', SAMPLES), 'utf8'),
  );
  return errors;
}
