import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { JobListFilter, ListPage, RunListFilter } from '../lists.ts';
import { createListReadings, type ListReading } from './lists.ts';
import { failedAnswer, type ThreadCall } from './thread.ts';

/** The thread that `list-reader.ts` starts: one connection that only reads, many readings in turn. */
const port = parentPort;
if (!port) throw new Error('this file is the start of a thread');

const database = new Database(workerData as string, { readonly: true });
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
    port.postMessage(failedAnswer(call.id, error));
  }
  if (idle && underWay.length > 0) setImmediate(step);
});
port.postMessage('ready');

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
    if (result.done) port?.postMessage({ id, ok: true, value: result.value });
    else underWay.push(next);
  } catch (error) {
    port?.postMessage(failedAnswer(id, error));
  }
  if (underWay.length > 0) setImmediate(step);
  else if (closing) close();
}

function close(): void {
  database.close();
  port?.close();
}
