import type { Stage } from './stage.ts';

/**
 * The contestants: this server, the stock way of building one, Durable Streams' reference server, and the
 * row's own baseline.
 */
export const CONTESTANTS = ['ours', 'stock', 'durable', 'baseline'] as const;
export type Contestant = (typeof CONTESTANTS)[number];

/** A contestant that can be measured repeatedly. */
export interface Entrant {
  readonly contestant: Contestant;
  /**
   * Works for about this many milliseconds and resolves to a figure per line. Rejects if anything was lost.
   */
  round(ms: number): Promise<readonly number[]>;
  /** Disconnects. The servers keep running. */
  close(): Promise<void>;
}

/**
 * The bound of a figure of this server: a floor or ceiling of its ratio to another contestant's figure, a
 * ceiling of their difference, or an absolute bound.
 */
export type Goal =
  | {
      readonly against: Exclude<Contestant, 'ours'>;
      readonly holds: 'ratio at least' | 'ratio at most' | 'excess at most';
      readonly bar: number;
    }
  | { readonly against: null; readonly holds: 'at least' | 'at most'; readonly bar: number };

/** One figure of a row and its goals. */
export interface Line {
  /** Distinguishes the line from the row's other lines. Empty if it is the only one. */
  readonly title: string;
  readonly unit: string;
  readonly goals: readonly Goal[];
  /** Lists the figure in the closing note on how cost grows. */
  readonly showsGrowth?: boolean;
}

/** Figures that are measured together. */
export interface Row {
  readonly title: string;
  /** The baseline in words. Null if there is none. */
  readonly baseline: string | null;
  readonly lines: readonly Line[];
  /**
   * In rounds, after a warm-up; in more and shorter rounds if small differences matter; or once, if the setup
   * is the measurement.
   */
  readonly rhythm: 'rounds' | 'short rounds' | 'once';
  /** True if the client itself is measured. */
  readonly inClient?: boolean;
  /** Connects the contestants to the servers on the stage. */
  enter(stage: Stage): Promise<readonly Entrant[]>;
}

/** Medians in the line's unit. Null for a contestant that did not take part. */
export type Figures = Readonly<Record<Contestant, number | null>>;

/** The figures of a row, or the reason that there are none. */
export type RowResult =
  | {
      readonly row: Row;
      readonly ok: true;
      /** Figures per line. */
      readonly figures: readonly Figures[];
      /** CPU cores used in the client's busiest round. Near 1, the client itself may have been measured. */
      readonly clientCores: Readonly<Record<Contestant, number>>;
    }
  | { readonly row: Row; readonly ok: false; readonly problem: string };

/** Returns the lines of a row with a single figure. */
export function onlyLine(unit: string, goals: readonly Goal[]): readonly Line[] {
  return [{ title: '', unit, goals }];
}
