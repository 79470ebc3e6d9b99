import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { StoreUnavailable } from '../store.ts';

/** A call on its way to a thread, and its answer on the way back. */
export interface ThreadCall {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

export type ThreadAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly code: string; readonly message: string };

/** A thread with a database connection of its own. */
export interface Thread {
  /** Resolves with the answer, or throws what `faultOf` makes of the error. */
  call(name: string, args: readonly unknown[]): Promise<unknown>;
  /** How many calls have no answer yet. */
  waiting(): number;
  /** Resolves when the calls that were made before are answered and the connection is closed. */
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
  /** An error that the thread answered with, by SQLite's code. */
  readonly faultOf: (code: string, message: string) => Error;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Starts a thread; resolves when it says that it is ready. */
export async function startThread({ module, file, work, faultOf }: ThreadOptions): Promise<Thread> {
  const thread = new Worker(threadFile(module), { workerData: file });
  const waiting = new Map<number, Waiting>();
  let gone: Error | null = null;
  let lastId = 0;
  thread.on('message', (answer: ThreadAnswer | 'ready') => {
    if (answer === 'ready') return;
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.ok) asked?.resolve(answer.value);
    else asked?.reject(faultOf(answer.code, answer.message));
  });
  const end = (error: Error) => {
    gone ??= error;
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  };
  thread.on('error', (error) => end(new StoreUnavailable(`the ${work} thread failed: ${String(error)}`)));
  thread.on('exit', () => end(new StoreUnavailable(`the ${work} thread has ended`)));
  await once(thread, 'message');
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

/** What a thread answers a call with that failed. */
export function failedAnswer(id: number, error: unknown): ThreadAnswer {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return { id, ok: false, code, message: String(error) };
}

/** Node 20 runs no TypeScript: where this file is still TypeScript, under the tests, the thread starts from the build. */
function threadFile(module: string): URL {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? `./${module}.js` : `../../../dist/store/sqlite/${module}.js`, import.meta.url);
}
