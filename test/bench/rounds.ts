import type { Contestant, Entrant, Figures, Row, RowResult } from './row.ts';
import type { Stage } from './stage.ts';

/** The number and duration of a row's rounds. */
export interface Pace {
  readonly rounds: number;
  readonly roundMs: number;
}

/** How many short rounds take the time of one normal round. */
const SHORT_ROUNDS = 4;
/** The warm-up before short rounds, which would otherwise mostly measure cold code. */
const WARM_UP_MS = 1_500;

/**
 * Measures one row. A failure is reported only for this row, because the others are still worth measuring.
 */
export async function measure(row: Row, stage: Stage, pace: Pace): Promise<RowResult> {
  try {
    const entrants = await row.enter(stage);
    try {
      return await measureEntrants(row, entrants, pace);
    } finally {
      for (const entrant of entrants) await entrant.close();
    }
  } catch (error) {
    return { row, ok: false, problem: describe(error) };
  }
}

/** Measures all contestants in turn, round by round, so that all meet the same noise. */
async function measureEntrants(row: Row, entrants: readonly Entrant[], pace: Pace): Promise<RowResult> {
  const { rounds, roundMs } = rhythmOf(row, pace);
  const warmUpMs = row.rhythm === 'short rounds' ? Math.max(roundMs, WARM_UP_MS) : roundMs;
  if (row.rhythm !== 'once') for (const entrant of entrants) await roundOf(entrant, warmUpMs);
  const seen: Record<Contestant, (readonly number[])[]> = { ours: [], stock: [], durable: [], baseline: [] };
  const clientCores: Record<Contestant, number> = { ours: 0, stock: 0, durable: 0, baseline: 0 };
  for (let round = 0; round < rounds; round += 1) {
    for (const entrant of entrants) {
      const { contestant } = entrant;
      const before = process.cpuUsage();
      const startedAt = performance.now();
      seen[contestant].push(await roundOf(entrant, roundMs));
      const { user, system } = process.cpuUsage(before);
      const cores = (user + system) / 1_000 / (performance.now() - startedAt);
      clientCores[contestant] = Math.max(clientCores[contestant], cores);
    }
  }
  const figures = row.lines.map((_, line) =>
    forEach((name) => median(seen[name].flatMap((of) => of[line] ?? []))),
  );
  return { row, ok: true, figures, clientCores };
}

function forEach(value: (name: Contestant) => number | null): Figures {
  return {
    ours: value('ours'),
    stock: value('stock'),
    durable: value('durable'),
    baseline: value('baseline'),
  };
}

function rhythmOf({ rhythm }: Row, { rounds, roundMs }: Pace): Pace {
  switch (rhythm) {
    case 'rounds':
      return { rounds, roundMs };
    case 'short rounds':
      return { rounds: rounds * SHORT_ROUNDS, roundMs: roundMs / SHORT_ROUNDS };
    case 'once':
      return { rounds: 1, roundMs };
  }
}

async function roundOf({ contestant, round }: Entrant, ms: number): Promise<readonly number[]> {
  try {
    return await round(ms);
  } catch (cause) {
    throw new Error(`${contestant} failed`, { cause });
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describe(error.cause)}`;
}

/** Returns the median of the values. Null if there are none. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1];
  const high = sorted[Math.floor(middle)];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}
