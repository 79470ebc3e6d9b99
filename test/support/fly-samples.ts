import { existsSync, readFileSync } from 'node:fs';

const SAMPLES = new URL('../../../shared/fly/samples/', import.meta.url);

/** Whether what was once seen of the real API is at hand. */
export const haveFlySamples = existsSync(SAMPLES);

if (!haveFlySamples) console.warn(`${SAMPLES.pathname} is not there: what needs samples of Fly is skipped.`);

/** One sample, as JSON. */
export function flySample(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, SAMPLES), 'utf8'));
}

/** An answer that the real API gave, with the name of the case. */
export interface FlyErrorSample {
  readonly case: string;
  readonly http: number;
  readonly body?: unknown;
  /** Where it is no JSON. */
  readonly raw?: string;
}

/** All answers that tell of errors; none when there are no samples. */
export function flyErrorSamples(): readonly FlyErrorSample[] {
  if (!haveFlySamples) return [];
  const { errors }: { errors: readonly FlyErrorSample[] } = JSON.parse(
    readFileSync(new URL('errors.json', SAMPLES), 'utf8'),
  );
  return errors;
}
