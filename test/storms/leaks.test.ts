import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { atSize, PROOF_TIMEOUT_MS } from '../proofs/size.ts';
import { freshSqliteUrl } from '../support/databases.ts';

const CYCLES = atSize(2_000);
/** A subscription that stayed would be kilobytes; what the heap moves by itself is about one megabyte in all. */
const GROWTH_MAX_BYTES = 2 * 1024 * 1024 + 100 * CYCLES;

interface Measured {
  readonly heapBytes: number;
  readonly watchedRuns: number;
  readonly listeners: number;
  readonly resources: Readonly<Record<string, number>>;
}

test(
  'clients that subscribe and leave, in every way there is, leave nothing behind',
  async () => {
    const program = fileURLToPath(new URL('children/leave-again.ts', import.meta.url));
    const args = ['--expose-gc', '--import', 'tsx', program, await freshSqliteUrl(), String(CYCLES)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { before, after } = JSON.parse(stdout) as { before: Measured; after: Measured };
    expect([after.watchedRuns, after.listeners]).toEqual([0, 0]);
    for (const [kind, count] of Object.entries(after.resources)) {
      // A keep-alive connection of the test's own client may come and go.
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
