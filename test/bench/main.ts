import { readOptions, USAGE } from './options.ts';
import { measure, type Pace } from './rounds.ts';
import type { RowResult } from './row.ts';
import { listRows } from './rows.ts';
import { createStage } from './stage.ts';
import { renderJson, renderTable } from './table.ts';

const PACE: Pace = { rounds: 3, roundMs: 1_700 };
const QUICK_PACE: Pace = { rounds: 2, roundMs: 100 };
// Both exceed the server's cache of pages.
const LONG_RUN_EVENTS = 1_000_000;
const QUICK_LONG_RUN_EVENTS = 250_000;

const options = readOptions(process.argv.slice(2));
if (options === null) {
  process.stdout.write(USAGE);
} else {
  const { quick, json, only, postgresUrl } = options;
  // The exit of the process stops the servers and removes the files.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  // Each server and file adds an exit listener.
  process.setMaxListeners(0);
  const stage = createStage(postgresUrl, quick ? QUICK_LONG_RUN_EVENTS : LONG_RUN_EVENTS);
  try {
    const results: RowResult[] = [];
    for (const row of listRows({ quick, postgres: postgresUrl !== undefined })) {
      if (!row.title.includes(only)) continue;
      const startedAt = performance.now();
      process.stderr.write(`${row.title} … `);
      const result = await measure(row, stage, quick ? QUICK_PACE : PACE);
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
      process.stderr.write(`${seconds} s${result.ok ? '' : `: ${result.problem}`}\n`);
      results.push(result);
    }
    // A missed goal is a finding. A row that could not be measured, or lost something, is a failure.
    if (results.some(({ ok }) => !ok)) process.exitCode = 1;
    process.stdout.write(json ? `${renderJson(results)}\n` : `\n${renderTable(results)}\n`);
  } finally {
    await stage.close();
  }
}
