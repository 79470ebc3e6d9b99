import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { codeOf, lineOf } from '../../lib/text/error-line.ts';
import { asStoreFault } from '../faults.ts';
import { StoreUnavailable } from '../unavailable.ts';
import { sqliteReason } from './faults.ts';

/** A call sent to a thread. Its answer has the same `id`. */
export interface ThreadCall {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** An error as it is sent between threads. `code` is empty if the error has none. */
export interface Failure {
  readonly isPassing: boolean;
  readonly code: string;
  readonly message: string;
}

export type ThreadAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | ({ readonly id: number; readonly ok: false } & Failure);

/** The thread's first message, which says whether it could open the database. */
export type ThreadStart = { readonly ok: true } | ({ readonly ok: false } & Failure);

/** A thread with its own database connection. */
export interface Thread {
  /** Resolves with the answer. Throws `StoreUnavailable` for transient faults. */
  call(name: string, args: readonly unknown[]): Promise<unknown>;
  /** Returns the number of calls without an answer yet. */
  waiting(): number;
  /**
   * Asks the thread to close and resolves when its connection is closed. The module decides which calls it
   * still answers; the others reject with `StoreUnavailable`.
   */
  close(): Promise<void>;
}

/** Options of {@link startThread}. */
export interface ThreadOptions {
  /** The module that the thread runs: a file in this folder, without its extension. */
  readonly module: string;
  /** The database file, passed as `workerData`. */
  readonly file: string;
  /** The name of the thread's work in errors, such as `writing`. */
  readonly work: string;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Starts a thread. Resolves once the thread has opened the database, or throws why it could not. */
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

/**
 * Converts an error for another thread. An error object would lose its class on the way, and SQLite's would
 * lose everything.
 */
export function failureOf(error: unknown): Failure {
  const fault = asStoreFault(error, sqliteReason);
  return { isPassing: fault instanceof StoreUnavailable, code: codeOf(error), message: lineOf(fault) };
}

function errorOf({ isPassing, code, message }: Failure): Error {
  const error = isPassing ? new StoreUnavailable(message) : new Error(message);
  return code ? Object.assign(error, { code }) : error;
}

/** Node 20 cannot run TypeScript. In tests, where this file is TypeScript, the built module runs. */
function threadFile(module: string): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? `./${module}.js` : `../../../dist/store/sqlite/${module}.js`, import.meta.url);
}
