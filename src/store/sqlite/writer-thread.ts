import { parentPort, workerData } from 'node:worker_threads';
import { openForWriting } from '../sqlite-file/open.ts';
import { failureOf, type ThreadAnswer, type ThreadCall, type ThreadStart } from './thread.ts';
import { createWrites, type Writes } from './writes.ts';

/** The thread that `writer.ts` starts: one connection, on which requests run one after another. */
const port = parentPort;
if (!port) throw new Error('this file must be run as a worker thread');

const file = workerData as string;

try {
  const database = openForWriting(file);
  const answer = answering(createWrites(database, file));
  port.on('message', (call: ThreadCall | 'close') => {
    if (call === 'close') {
      database.close();
      port.close();
      return;
    }
    port.postMessage(answer(call));
  });
  port.postMessage({ ok: true } satisfies ThreadStart);
} catch (error) {
  port.postMessage({ ok: false, ...failureOf(error) } satisfies ThreadStart);
}

function answering(writes: Writes): (call: ThreadCall) => ThreadAnswer {
  return ({ id, name, args }) => {
    try {
      // The types of `write` in writer.ts ensure that the arguments fit the named function.
      const write = writes[name as keyof Writes] as (...args: readonly unknown[]) => unknown;
      return { id, ok: true, value: write(...args) };
    } catch (error) {
      return { id, ok: false, ...failureOf(error) };
    }
  };
}
