// Appends the same numbers to three runs, one commit after another, and prints each number once it is
// acknowledged. Runs until its database goes away.
import { openStore } from '../../../src/store/open.ts';
import { EMPTY_HEAD } from '../../../src/store/store.ts';
import { StoreUnavailable } from '../../../src/store/unavailable.ts';
import { append, createRun, events } from '../../suites/store-records.ts';

const [url = '', workspace = ''] = process.argv.slice(2);
const store = await openStore(url);
const runs = [];
for (const id of ['run-1', 'run-2', 'run-3']) runs.push(await createRun(store, { workspace, id }));
process.once('uncaughtException', (error) => {
  if (!(error instanceof StoreUnavailable)) throw error;
  process.exit();
});
for (let head = EMPTY_HEAD; ; ) {
  const appends = runs.map((run) => append(run, head, events(head.lastSeq + 1, 4)));
  const stored = await store.commit(appends);
  if (stored.size !== runs.length) throw new Error('another process writes to these runs');
  head = appends[0]!.head;
  process.stdout.write(`${head.lastSeq}\n`);
}
