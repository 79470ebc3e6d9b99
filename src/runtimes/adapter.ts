import type { RunnerEvent } from '../contract/events.ts';

/** Converts the output of one run of one runtime to contract events. Neither method ever throws. */
export interface RuntimeAdapter {
  /** Returns the events that these bytes complete. Chunks may be cut anywhere. Returns none after `end`. */
  push(bytes: Uint8Array): RunnerEvent[];
  /**
   * Ends the run. Returns the remaining events, with `runtime_terminal` last. If no bytes arrived,
   * `runtime_started` (or `resumed` in a resumed run) precedes it. Later calls return no events.
   */
  end(exit?: RuntimeExit): RunnerEvent[];
}

/** How the runtime's process ended, as far as its parent knows. */
export interface RuntimeExit {
  readonly exitCode?: number | null;
  /** The name of the signal that ended the process, such as `SIGTERM`. */
  readonly signal?: string | null;
  /** The end of the process's standard error. */
  readonly stderrTail?: string;
}

/** Options of every adapter. */
export interface RuntimeAdapterOptions {
  /** Returns Unix milliseconds. Defaults to `Date.now`. */
  readonly now?: () => number;
  /** The `seq` of the first event. Defaults to 0. */
  readonly nextSeq?: number;
  /** The minimum `tMs` of the events. Defaults to 0. */
  readonly lastTMs?: number;
  /** The host's name for the session. */
  readonly sessionName?: string;
  /** True if an earlier adapter began this run: a notification `resumed` then replaces `runtime_started`. */
  readonly resumed?: boolean;
  /** Removes secrets from standard error, from lines in unknown formats and from error messages. */
  readonly redact?: (text: string) => string;
}
