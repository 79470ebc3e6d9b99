import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { atSize, PROOF_TIMEOUT_MS } from '../proofs/size.ts';
import { freshSqliteUrl } from '../support/databases.ts';

const CYCLES = atSize(2_000);
/** A leaked subscription would take kilobytes. The heap itself fluctuates by about one megabyte in total. */
const GROWTH_MAX_BYTES = 2 * 1024 * 1024 + 100 * CYCLES;

interface Measured {
  readonly heapBytes: number;
  readonly watchedRuns: number;
  readonly listeners: number;
  readonly resources: Readonly<Record<string, number>>;
}

test(
  'clients that subscribe and leave in any way leave nothing behind',
  async () => {
    const program = fileURLToPath(new URL('children/leave-again.ts', import.meta.url));
    const args = ['--expose-gc', '--import', 'tsx', program, await freshSqliteUrl(), String(CYCLES)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { before, after } = JSON.parse(stdout) as { before: Measured; after: Measured };
    expect([after.watchedRuns, after.listeners]).toEqual([0, 0]);
    for (const [kind, count] of Object.entries(after.resources)) {
      // The test's own client may open or close a keep-alive connection.
      expect(count, kind).toBeLessThanOrEqual((before.resources[kind] ?? 0) + 2);
    }
    const grown = after.heapBytes - before.heapBytes;
    if (process.env.RUNFEED_PROOF_SIZE !== undefined) {
      console.info(`leaks: ${CYCLES} cycles, the heap grew by ${Math.round(grown / 1024)} KiB`);
    }
    expect(grown).toBeLessThan(GROWTH_MAX_BYTES);
  },
  2 * PROOF_TIMEOUT_MS,
);
