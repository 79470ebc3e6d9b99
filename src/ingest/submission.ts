import type { RunKey } from '../store/run-keys.ts';
import type { Judged, OwnEvent, ProducedBatch, Rejection } from './judge.ts';

/**
 * A batch that waits for its commit. `bytes` is its weight in memory, `since` its arrival by
 * `performance.now()`.
 */
export interface Submission {
  readonly run: RunKey;
  readonly work: ProducedBatch | OwnEvent;
  readonly bytes: number;
  readonly since: number;
  settle(outcome: Judged | Rejection): void;
  fail(error: unknown): void;
}
