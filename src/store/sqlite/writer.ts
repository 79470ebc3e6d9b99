import { watchFiles } from '../sqlite-file/files.ts';
import type { StoreUnavailable } from '../unavailable.ts';
import { startThread } from './thread.ts';
import type { Writes } from './writes.ts';

/** The only writing connection of this process, in a separate thread. */
export interface Writer {
  /** Performs a write. Resolves once it is durable. Throws `StoreUnavailable` for transient faults. */
  write<Name extends keyof Writes>(
    name: Name,
    ...args: Parameters<Writes[Name]>
  ): Promise<ReturnType<Writes[Name]>>;
  /**
   * Throws `StoreUnavailable` if one of the database's files is gone. Must be called before an answer that
   * reports something as stored without a write: it may have been written into a deleted file.
   */
  requireFiles(): void;
  /** Resolves when all earlier writes are done and the connection is closed. */
  close(): Promise<void>;
}

/**
 * Starts the writer thread on a migrated file, given by its name and its real path. Storing an event costs
 * about as much as everything else done for it, and a commit waits for the disk: a thread keeps both out
 * of the event loop. Compared with commits in the loop, that stored 1.2 to 1.3 times as many events of 64
 * runs with 8 per batch, and 1.1 to 1.5 times as many of 16 runs with 256; the hop between threads costs a
 * lone batch about 30 µs.
 */
export async function startWriter(file: string, path: string): Promise<Writer> {
  const thread = await startThread({ module: 'writer-thread', file: path, work: 'writing' });
  const checkFiles = watchFiles(file, path);
  let gone: StoreUnavailable | null = null;

  async function write(name: string, args: readonly unknown[]): Promise<unknown> {
    // Writes into a deleted file are lost, so no write follows the one that notices the deletion.
    gone &&= checkFiles();
    if (gone) throw gone;
    const written = thread.call(name, args);
    // Checked while the thread writes, so that the check delays no answer. For the caller, a file that
    // disappears after this check and before the answer is the same as one that disappears after the answer.
    gone = checkFiles();
    if (!gone) return written;
    await Promise.allSettled([written]);
    throw gone;
  }

  return {
    requireFiles: () => {
      gone = checkFiles();
      if (gone) throw gone;
    },
    // The thread calls the function of `Writes` with this name.
    write: (name, ...args) => write(name, args) as Promise<never>,
    close: () => thread.close(),
  };
}
