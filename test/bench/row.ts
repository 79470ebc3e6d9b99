import type { Stage } from './stage.ts';

/**
 * Who is measured: this server, the stock way of building one, Durable Streams' reference server, and the row's own
 * baseline.
 */
export const CONTESTANTS = ['ours', 'stock', 'durable', 'baseline'] as const;
export type Contestant = (typeof CONTESTANTS)[number];

/** One contestant, ready to be measured as often as one likes. */
export interface Entrant {
  readonly contestant: Contestant;
  /** Works for about so many milliseconds; answers a figure for each line. Throws when anything got lost on the way. */
  round(ms: number): Promise<readonly number[]>;
  /** Disconnects; the servers stay. */
  close(): Promise<void>;
}

/**
 * How our figure may lie to another's: their ratio has a floor or a ceiling, or their difference has a ceiling; or how it
 * may lie by itself.
 */
export type Goal =
  | {
      readonly against: Exclude<Contestant, 'ours'>;
      readonly holds: 'ratio at least' | 'ratio at most' | 'excess at most';
      readonly bar: number;
    }
  | { readonly against: null; readonly holds: 'at least' | 'at most'; readonly bar: number };

/** One figure of a row, and what is demanded of it. */
export interface Line {
  /** What tells it from the row's other lines; empty when it is the only one. */
  readonly title: string;
  readonly unit: string;
  readonly goals: readonly Goal[];
  /** Belongs into the closing note on how cost grows. */
  readonly showsGrowth?: boolean;
}

/** What is measured together. */
export interface Row {
  readonly title: string;
  /** What the baseline is; null: there is none. */
  readonly baseline: string | null;
  readonly lines: readonly Line[];
  /**
   * In rounds, after one to warm up; in more and shorter ones where small differences count; or once, when setting up
   * is the measurement.
   */
  readonly rhythm: 'rounds' | 'short rounds' | 'once';
  /** The client itself is what is measured. */
  readonly inClient?: boolean;
  /** Connects the contestants to the servers on the stage. */
  enter(stage: Stage): Promise<readonly Entrant[]>;
}

/** Medians in the line's unit; null for a contestant that did not enter. */
export type Figures = Readonly<Record<Contestant, number | null>>;

/** What came out. */
export type RowResult =
  | {
      readonly row: Row;
      readonly ok: true;
      /** For each line. */
      readonly figures: readonly Figures[];
      /** The client's busiest round, in cores: near 1 it may have been what was measured. */
      readonly clientCores: Readonly<Record<Contestant, number>>;
    }
  | { readonly row: Row; readonly ok: false; readonly problem: string };

/** The only line of a row, where one says it all. */
export function onlyLine(unit: string, goals: readonly Goal[]): readonly Line[] {
  return [{ title: '', unit, goals }];
}
