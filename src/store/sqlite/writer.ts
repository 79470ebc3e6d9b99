import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { StoreUnavailable } from '../store.ts';
import type { Writes } from './writes.ts';

/** A write on its way to the thread, and its answer on the way back. */
export interface WriteRequest {
  readonly id: number;
  readonly name: keyof Writes;
  readonly args: readonly unknown[];
}

/** An error on its way between threads. `code` is empty when it has none. */
export interface Failure {
  readonly isPassing: boolean;
  readonly code: string;
  readonly message: string;
}

export type WriteAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | ({ readonly id: number; readonly ok: false } & Failure);

/** The thread's first message: whether it could open the database. */
export type WriterStart = { readonly ok: true } | ({ readonly ok: false } & Failure);

/** The one writing connection of this process, in a thread of its own. */
export interface Writer {
  /** Does a write; resolves once it is durable. Throws `StoreUnavailable` for what may pass. */
  write<Name extends keyof Writes>(
    name: Name,
    ...args: Parameters<Writes[Name]>
  ): Promise<ReturnType<Writes[Name]>>;
  /** Resolves when what was asked before is done and the connection is closed. */
  close(): Promise<void>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * Starts the writing thread on a migrated file. Storing an event costs about as much as all else that is done for it,
 * and a commit waits for the disk: in a thread both happen beside the loop instead of in it. Side by side with commits
 * in the loop that was 1.2 to 1.3 times the events of 64 runs with 8 a batch, and 1.1 to 1.5 times those of 16 runs
 * with 256; the hop costs a lone batch about 30 µs.
 */
export async function startWriter(file: string): Promise<Writer> {
  const thread = new Worker(threadFile(), { workerData: file });
  const waiting = new Map<number, Waiting>();
  let gone: Error | null = null;
  let lastId = 0;
  const started = once(thread, 'message');
  thread.on('message', (answer: WriteAnswer | WriterStart) => {
    if (!('id' in answer)) return;
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.ok) asked?.resolve(answer.value);
    else asked?.reject(faultOf(answer));
  });
  const end = (error: Error) => {
    gone ??= error;
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  };
  thread.on('error', (error) => end(new StoreUnavailable(`the writing thread failed: ${String(error)}`)));
  thread.on('exit', () => end(new StoreUnavailable('the writing thread has ended')));
  const [start] = (await started) as [WriterStart];
  if (!start.ok) {
    await thread.terminate();
    throw faultOf(start);
  }
  return {
    write: (name, ...args) =>
      new Promise((resolve, reject) => {
        if (gone) return reject(gone);
        lastId += 1;
        waiting.set(lastId, { resolve: resolve as (value: unknown) => void, reject });
        thread.postMessage({ id: lastId, name, args } satisfies WriteRequest);
      }),
    close: async () => {
      if (gone) return;
      const exited = once(thread, 'exit');
      thread.postMessage('close');
      await exited;
    },
  };
}

/** Node 20 runs no TypeScript: where this file is still TypeScript, under the tests, the thread starts from the build. */
function threadFile(): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(
    built ? './writer-thread.js' : '../../../dist/store/sqlite/writer-thread.js',
    import.meta.url,
  );
}

function faultOf({ isPassing, code, message }: Failure): Error {
  const fault = isPassing ? new StoreUnavailable(message) : new Error(message);
  return code ? Object.assign(fault, { code }) : fault;
}
