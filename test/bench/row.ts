import type { Stage } from './stage.ts';

/** Who is measured: this server, the stock way of building one, and the least work that could do the same. */
export const CONTESTANTS = ['ours', 'stock', 'limit'] as const;
export type Contestant = (typeof CONTESTANTS)[number];

/** One contestant, ready to be measured as often as one likes. */
export interface Entrant {
  readonly contestant: Contestant;
  /** Works for about so many milliseconds; answers units per second. Throws when anything got lost on the way. */
  round(ms: number): Promise<number>;
  /** Disconnects; the servers stay. */
  close(): Promise<void>;
}

/** One line of the table. */
export interface Row {
  readonly title: string;
  readonly unit: string;
  /** The least that ours divided by the other's figure should be; absent: it is only shown. */
  readonly bars: { readonly stock?: number; readonly limit?: number };
  /** Connects the contestants to the servers on the stage. */
  enter(stage: Stage): Promise<readonly Entrant[]>;
}

/** What came out: medians in units per second, null for a contestant that did not enter. */
export interface RowResult {
  readonly row: Row;
  readonly medians: Readonly<Record<Contestant, number | null>>;
  /** The client's busiest round, in cores: near 1 it may have been what was measured. */
  readonly clientCores: Readonly<Record<Contestant, number>>;
}
