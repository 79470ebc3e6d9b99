import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { codeOf, lineOf } from '../../lib/error-line.ts';
import { asStoreFault } from '../faults.ts';
import { StoreUnavailable } from '../store.ts';
import { sqliteReason } from './faults.ts';

/** A call on its way to a thread, and its answer on the way back. */
export interface ThreadCall {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** An error on its way between threads. `code` is empty when it has none. */
export interface Failure {
  readonly isPassing: boolean;
  readonly code: string;
  readonly message: string;
}

export type ThreadAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | ({ readonly id: number; readonly ok: false } & Failure);

/** The thread's first message: whether it could open the database. */
export type ThreadStart = { readonly ok: true } | ({ readonly ok: false } & Failure);

/** A thread with a database connection of its own. */
export interface Thread {
  /** Resolves with the answer. Throws `StoreUnavailable` for what may pass. */
  call(name: string, args: readonly unknown[]): Promise<unknown>;
  /** How many calls have no answer yet. */
  waiting(): number;
  /**
   * Asks the thread to close and resolves when its connection is closed. The module decides which calls it still
   * answers; the others reject with `StoreUnavailable`.
   */
  close(): Promise<void>;
}

/** What a thread is started with. */
export interface ThreadOptions {
  /** The module that it runs, in the folder of this one, without its extension. */
  readonly module: string;
  /** Its `workerData`: the database file. */
  readonly file: string;
  /** How its work is called in errors, such as `writing`. */
  readonly work: string;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Starts a thread; resolves once it has opened the database, and throws why it could not. */
export async function startThread({ module, file, work }: ThreadOptions): Promise<Thread> {
  const thread = new Worker(threadFile(module), { workerData: file });
  const waiting = new Map<number, Waiting>();
  let gone: Error | null = null;
  let lastId = 0;
  const started = once(thread, 'message');
  thread.on('message', (answer: ThreadAnswer | ThreadStart) => {
    if (!('id' in answer)) return;
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.ok) asked?.resolve(answer.value);
    else asked?.reject(errorOf(answer));
  });
  const end = (error: Error) => {
    gone ??= error;
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  };
  thread.on('error', (error) => end(new StoreUnavailable(`the ${work} thread failed: ${String(error)}`)));
  thread.on('exit', () => end(new StoreUnavailable(`the ${work} thread has ended`)));
  const [start] = (await started) as [ThreadStart];
  if (!start.ok) {
    await thread.terminate();
    throw errorOf(start);
  }
  return {
    call: (name, args) =>
      new Promise((resolve, reject) => {
        if (gone) return reject(gone);
        lastId += 1;
        waiting.set(lastId, { resolve, reject });
        thread.postMessage({ id: lastId, name, args } satisfies ThreadCall);
      }),
    waiting: () => waiting.size,
    close: async () => {
      if (gone) return;
      const exited = once(thread, 'exit');
      thread.postMessage('close');
      await exited;
    },
  };
}

/** An error as it goes to another thread: an error object would lose its class on the way, and SQLite's all they say. */
export function failureOf(error: unknown): Failure {
  const fault = asStoreFault(error, sqliteReason);
  return { isPassing: fault instanceof StoreUnavailable, code: codeOf(error), message: lineOf(fault) };
}

function errorOf({ isPassing, code, message }: Failure): Error {
  const error = isPassing ? new StoreUnavailable(message) : new Error(message);
  return code ? Object.assign(error, { code }) : error;
}

/** Node 20 runs no TypeScript: where this file is still TypeScript, under the tests, the thread starts from the build. */
function threadFile(module: string): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? `./${module}.js` : `../../../dist/store/sqlite/${module}.js`, import.meta.url);
}
