import type { SeqRange } from './spool.ts';

/** An event was not accepted, or the reporter has stopped permanently. */
export class ReportFailed extends Error {
  override readonly name = 'ReportFailed';
  /**
   * Why: a code of the server (`run_terminated`, `seq_gap`, `UNAUTHENTICATED` …); for a single event the
   * contract's `invalid_event` or `event_too_large`; or `too_many_waiting`, `spool_failed`, `reporter_failed`
   * or `closed`.
   */
  readonly code: string;
  /** Accepted events that this reporter will not deliver. Null: none, or only this event failed. */
  readonly lost: SeqRange | null;
  constructor(message: string, code: string, lost: SeqRange | null = null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.lost = lost;
  }
}
