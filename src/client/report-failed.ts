import type { SeqRange } from './spool.ts';

/** An event was not taken, or the reporter has stopped for good. */
export class ReportFailed extends Error {
  override readonly name = 'ReportFailed';
  /**
   * Why: the server's code (`run_terminated`, `seq_gap`, `UNAUTHENTICATED` …); or of this event alone the contract's
   * (`invalid_event`) and `event_too_large`; or `too_many_waiting`, `spool_failed`, `reporter_failed`, `closed`.
   */
  readonly code: string;
  /** What was taken and will not be delivered by this reporter; null: nothing, or this event alone is concerned. */
  readonly lost: SeqRange | null;
  constructor(message: string, code: string, lost: SeqRange | null = null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.lost = lost;
  }
}
