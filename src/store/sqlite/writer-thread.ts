import { parentPort, workerData } from 'node:worker_threads';
import { codeOf, lineOf } from '../../lib/error-line.ts';
import { asStoreFault } from '../faults.ts';
import { StoreUnavailable } from '../store.ts';
import { sqliteReason } from './faults.ts';
import { watchFiles } from './files.ts';
import { openForWriting } from './open.ts';
import type { Failure, WriteAnswer, WriteRequest, WriterStart } from './writer.ts';
import { createWrites, type Writes } from './writes.ts';

/** The thread that `writer.ts` starts: one connection, one request after another. */
const port = parentPort;
if (!port) throw new Error('this file is the start of a thread');

const file = workerData as string;

try {
  const database = openForWriting(file);
  const writes = createWrites(database, file);
  const answer = answering(writes, watchFiles(file));
  port.on('message', (request: WriteRequest | 'close') => {
    if (request === 'close') {
      database.close();
      port.close();
      return;
    }
    port.postMessage(answer(request));
  });
  port.postMessage({ ok: true } satisfies WriterStart);
} catch (error) {
  port.postMessage({ ok: false, ...failureOf(error) } satisfies WriterStart);
}

function answering(
  writes: Writes,
  checkFiles: () => StoreUnavailable | null,
): (request: WriteRequest) => WriteAnswer {
  let gone: StoreUnavailable | null = null;
  return ({ id, name, args }) => {
    try {
      // What goes into a deleted file is lost: no write follows the one after which that is noticed.
      gone &&= checkFiles();
      if (gone) throw gone;
      // The name picks the function that these arguments were given for: `write` in writer.ts is typed so.
      const write = writes[name] as (...args: readonly unknown[]) => unknown;
      const value = write(...args);
      gone = checkFiles();
      if (gone) throw gone;
      return { id, ok: true, value };
    } catch (error) {
      return { id, ok: false, ...failureOf(error) };
    }
  };
}

/** An error object loses its class on its way to another thread, and SQLite's all that they say. */
function failureOf(error: unknown): Failure {
  const fault = asStoreFault(error, sqliteReason);
  return { isPassing: fault instanceof StoreUnavailable, code: codeOf(error), message: lineOf(fault) };
}
