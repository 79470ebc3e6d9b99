import { CONTESTANTS, type Contestant, type Entrant, type Row, type RowResult } from './row.ts';
import type { Stage } from './stage.ts';

/** How long a row takes. */
export interface Pace {
  readonly rounds: number;
  readonly roundMs: number;
}

/** Measures one row: a round to warm up, then round by round every contestant in turn, so that all meet the same noise. */
export async function measure(row: Row, stage: Stage, { rounds, roundMs }: Pace): Promise<RowResult> {
  const entrants = await row.enter(stage);
  try {
    for (const entrant of entrants) await roundOf(row, entrant, roundMs);
    const rates: Record<Contestant, number[]> = { ours: [], stock: [], limit: [] };
    const clientCores: Record<Contestant, number> = { ours: 0, stock: 0, limit: 0 };
    for (let round = 0; round < rounds; round += 1) {
      for (const entrant of entrants) {
        const { contestant } = entrant;
        const before = process.cpuUsage();
        const startedAt = performance.now();
        rates[contestant].push(await roundOf(row, entrant, roundMs));
        const { user, system } = process.cpuUsage(before);
        const cores = (user + system) / 1_000 / (performance.now() - startedAt);
        clientCores[contestant] = Math.max(clientCores[contestant], cores);
      }
    }
    const medians = Object.fromEntries(CONTESTANTS.map((name) => [name, median(rates[name])]));
    return { row, medians: medians as RowResult['medians'], clientCores };
  } finally {
    await closeAll(entrants);
  }
}

async function roundOf({ title }: Row, { contestant, round }: Entrant, ms: number): Promise<number> {
  try {
    return await round(ms);
  } catch (cause) {
    throw new Error(`${title}: ${contestant} failed`, { cause });
  }
}

async function closeAll(entrants: readonly Entrant[]): Promise<void> {
  for (const entrant of entrants) await entrant.close();
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1];
  const high = sorted[Math.floor(middle)];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}
