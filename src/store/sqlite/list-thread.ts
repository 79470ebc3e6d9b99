import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { JobListFilter, ListPage, RunListFilter } from '../lists.ts';
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

function serve(database: Database.Database, port: MessagePort): void {
  const readings = createListReadings(database);
  const underWay: { readonly id: number; readonly reading: ListReading }[] = [];
  let closing = false;

  port.on('message', (call: ThreadCall | 'close') => {
    if (call === 'close') {
      closing = true;
      if (underWay.length === 0) close();
      return;
    }
    const idle = underWay.length === 0;
    try {
      underWay.push({ id: call.id, reading: begin(call) });
    } catch (error) {
      answer({ id: call.id, ok: false, ...failureOf(error) });
    }
    if (idle && underWay.length > 0) setImmediate(step);
  });

  /** The arguments are those that `list-reader.ts` is typed to send. */
  function begin({ name, args }: ThreadCall): ListReading {
    const [filter, page] = args;
    return name === 'runs'
      ? readings.runs(filter as RunListFilter, page as ListPage)
      : readings.jobs(filter as JobListFilter, page as ListPage);
  }

  /** One step of the reading that has waited longest, so that a long one holds up no other. */
  function step(): void {
    const next = underWay.shift();
    if (!next) return;
    const { id, reading } = next;
    try {
      const result = reading.next();
      if (result.done) answer({ id, ok: true, value: result.value });
      else underWay.push(next);
    } catch (error) {
      answer({ id, ok: false, ...failureOf(error) });
    }
    if (underWay.length > 0) setImmediate(step);
    else if (closing) close();
  }

  function answer(message: ThreadAnswer): void {
    port.postMessage(message);
  }

  function close(): void {
    database.close();
    port.close();
  }
}
