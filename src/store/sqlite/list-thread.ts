import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { createOwnerQueues } from '../../lib/waiting/owner-queues.ts';
import type { JobListFilter, ListPage, RunListFilter } from '../lists.ts';
import { Database } from '../sqlite-file/driver.ts';
import { createListReadings, type ListReading } from './lists.ts';
import { failureOf, type ThreadAnswer, type ThreadCall, type ThreadStart } from './thread.ts';

/** The thread that `list-reader.ts` starts: one read-only connection, on which many queries take turns. */
const parent = parentPort;
if (!parent) throw new Error('this file must be run as a worker thread');

try {
  serve(new Database(workerData as string, { readonly: true }), parent);
  parent.postMessage({ ok: true } satisfies ThreadStart);
} catch (error) {
  parent.postMessage({ ok: false, ...failureOf(error) } satisfies ThreadStart);
}

interface UnderWay {
  readonly owner: number;
  readonly id: number;
  readonly reading: ListReading;
}

function serve(database: Database, port: MessagePort): void {
  const readings = createListReadings(database);
  const waiting = createOwnerQueues<number, UnderWay>();
  let scheduled = false;

  port.on('message', (call: ThreadCall | 'close') => {
    // Waiting queries are dropped: the end of the thread rejects them. No step is running now.
    if (call === 'close') {
      database.close();
      port.close();
      return;
    }
    if (call.name === 'forget') {
      forget(call.args[0] as number);
      answer({ id: call.id, ok: true, value: null });
      return;
    }
    // The arguments are those that `list-reader.ts` sends.
    const [filter, page, owner] = call.args as [unknown, ListPage, number];
    try {
      const reading =
        call.name === 'runs'
          ? readings.runs(filter as RunListFilter, page)
          : readings.jobs(filter as JobListFilter, page);
      waiting.push(owner, { owner, id: call.id, reading });
    } catch (error) {
      answer({ id: call.id, ok: false, ...failureOf(error) });
    }
    schedule();
  });

  function forget(owner: number): void {
    for (const { id } of waiting.drop(owner))
      answer({ id, ok: false, isPassing: true, code: '', message: 'the query was dropped' });
  }

  /** Runs one step of one query. Owners take turns, as do an owner's queries: a long one blocks no other. */
  function step(): void {
    scheduled = false;
    const next = database.open ? waiting.shift() : undefined;
    if (!next) return;
    if (!isDone(next)) waiting.push(next.owner, next);
    schedule();
  }

  function schedule(): void {
    if (scheduled || waiting.size() === 0) return;
    scheduled = true;
    setImmediate(step);
  }

  /** Runs one step. Sends the answer and returns true after the last one. */
  function isDone({ id, reading }: UnderWay): boolean {
    try {
      const result = reading.next();
      if (result.done) answer({ id, ok: true, value: result.value });
      return result.done === true;
    } catch (error) {
      answer({ id, ok: false, ...failureOf(error) });
      return true;
    }
  }

  function answer(message: ThreadAnswer): void {
    port.postMessage(message);
  }
}
