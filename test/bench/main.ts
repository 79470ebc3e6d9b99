import { readOptions, USAGE } from './options.ts';
import { measure } from './rounds.ts';
import type { RowResult } from './row.ts';
import { ROWS } from './rows.ts';
import { createStage } from './stage.ts';
import { renderTable } from './table.ts';

const options = readOptions(process.argv.slice(2));
if (options === null) {
  process.stdout.write(USAGE);
} else {
  // Servers and files go with the process, whose own exit sees to it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const stage = createStage(options.postgresUrl);
  try {
    const results: RowResult[] = [];
    for (const row of ROWS) {
      if (!row.title.includes(options.only)) continue;
      process.stderr.write(`${row.title} …\n`);
      results.push(await measure(row, stage, options.pace));
    }
    process.stdout.write(`\n${renderTable(results)}\n`);
  } finally {
    await stage.close();
  }
}
