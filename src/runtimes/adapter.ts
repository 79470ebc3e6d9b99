import type { RunnerEvent } from '../contract/events.ts';

/** Turns the output of one run of one runtime into contract events. Neither method ever throws. */
export interface RuntimeAdapter {
  /** The events that these bytes complete; the chunks may be cut anywhere. After `end` it gives none. */
  push(bytes: Uint8Array): RunnerEvent[];
  /**
   * Says that no more bytes will come. Gives what is left, the `runtime_terminal` last, and the `runtime_started`
   * (or what stands for it in a resumed run) before it if nothing had arrived. The second call gives none.
   */
  end(exit?: RuntimeExit): RunnerEvent[];
}

/** How the runtime's process ended, as far as whoever started it knows. */
export interface RuntimeExit {
  readonly exitCode?: number | null;
  /** The signal's name, such as `SIGTERM`, if one ended the process. */
  readonly signal?: string | null;
  /** The end of what it wrote to standard error. */
  readonly stderrTail?: string;
}

/** What every adapter can be told. */
export interface RuntimeAdapterOptions {
  /** Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
  /** The first event's `seq`; 0 by default. */
  readonly nextSeq?: number;
  /** The `tMs` below which no event may be; 0 by default. */
  readonly lastTMs?: number;
  /** The name that the host gave the session, if it gave one. */
  readonly sessionName?: string;
  /** Says that an earlier adapter began this run: instead of `runtime_started` comes a notification `resumed`. */
  readonly resumed?: boolean;
  /** Takes secrets out of what is kept of standard error, of lines in no known format and of error messages. */
  readonly redact?: (text: string) => string;
}
