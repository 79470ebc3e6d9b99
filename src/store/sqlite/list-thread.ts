import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { JobListFilter, ListPage, RunListFilter } from '../lists.ts';
import { Database } from './driver.ts';
import { createListReadings, type ListReading } from './lists.ts';
import { failureOf, type ThreadAnswer, type ThreadCall, type ThreadStart } from './thread.ts';

/** The thread that `list-reader.ts` starts: one connection that only reads, many readings in turn. */
const parent = parentPort;
if (!parent) throw new Error('this file is the start of a thread');

try {
  serve(new Database(workerData as string, { readonly: true }), parent);
  parent.postMessage({ ok: true } satisfies ThreadStart);
} catch (error) {
  parent.postMessage({ ok: false, ...failureOf(error) } satisfies ThreadStart);
}

interface UnderWay {
  readonly id: number;
  readonly reading: ListReading;
}

function serve(database: Database, port: MessagePort): void {
  const readings = createListReadings(database);
  // A Map keeps its keys in order of insertion: the first owner gets a step and, if it has more, moves to the end.
  const queues = new Map<number, UnderWay[]>();
  let scheduled = false;

  port.on('message', (call: ThreadCall | 'close') => {
    // What waits is dropped: the end of the thread rejects it. A step under way has ended by now.
    if (call === 'close') {
      queues.clear();
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
      const queue = queues.get(owner);
      if (queue) queue.push({ id: call.id, reading });
      else queues.set(owner, [{ id: call.id, reading }]);
    } catch (error) {
      answer({ id: call.id, ok: false, ...failureOf(error) });
    }
    schedule();
  });

  function forget(owner: number): void {
    const dropped = queues.get(owner) ?? [];
    queues.delete(owner);
    for (const { id } of dropped)
      answer({ id, ok: false, isPassing: true, code: '', message: 'the reading was dropped' });
  }

  /** One step of one reading. Owners take turns, and an owner's readings do: a long one holds up no other. */
  function step(): void {
    scheduled = false;
    const [first] = queues;
    if (!first) return;
    const [owner, queue] = first;
    queues.delete(owner);
    const next = queue.shift()!;
    if (!isDone(next)) queue.push(next);
    if (queue.length > 0) queues.set(owner, queue);
    schedule();
  }

  function schedule(): void {
    if (scheduled || queues.size === 0) return;
    scheduled = true;
    setImmediate(step);
  }

  /** Does a step, and sends the answer after the last one. */
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
