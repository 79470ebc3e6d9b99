// Reports events, each with its number as text, until it is killed. Prints each number once it is accepted.
import { setTimeout as sleep } from 'node:timers/promises';
import { openFileSpool } from '../../../src/client/file-spool.ts';
import { createReporter } from '../../../src/client/report/reporter.ts';

const [url = '', runId = '', folder = ''] = process.argv.slice(2);
const spool = await openFileSpool(folder, { fileCharacters: 2_000 });
const backoff = { firstMs: 5, longestMs: 100 };
const reporter = createReporter({ runId, url, spool, flushMs: 5, backoff });
for (let { nextSeq } = await reporter.ready(); ; nextSeq += 1) {
  const seq = await reporter.report({ kind: 'assistant_text', data: { text: String(nextSeq) } });
  process.stdout.write(`${seq}\n`);
  await sleep(Math.random());
}
