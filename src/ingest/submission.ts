import type { RunKey } from '../store/run-keys.ts';
import type { Judged, ProducedBatch, ProducedEvent, Rejection } from './judge.ts';

/** One batch on its way into a log. */
export interface Submission {
  readonly run: RunKey;
  readonly work: ProducedBatch | Pick<ProducedEvent, 'kind' | 'data'>;
  readonly bytes: number;
  readonly since: number;
  settle(outcome: Judged | Rejection): void;
  fail(error: unknown): void;
}
