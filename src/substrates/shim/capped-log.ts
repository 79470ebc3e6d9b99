import { closeSync, openSync, renameSync, writeSync } from 'node:fs';

/** A file for output that drops its older half when it is full. */
export interface CappedLog {
  /** Writes synchronously: a slow disk then slows the command down instead of filling memory. */
  write(chunk: Uint8Array): void;
}

/** Opens a log in `file` and `oldFile` of at most twice `halfBytes` plus one chunk, for its owner only. */
export function openCappedLog(file: string, oldFile: string, halfBytes: number): CappedLog {
  let descriptor = openSync(file, 'a', 0o600);
  let written = 0;

  function rotate(): void {
    closeSync(descriptor);
    renameSync(file, oldFile);
    descriptor = openSync(file, 'a', 0o600);
    written = 0;
  }

  return {
    write: (chunk) => {
      try {
        if (written > 0 && written + chunk.length > halfBytes) rotate();
        written += writeSync(descriptor, chunk);
      } catch {
        // A full disk costs output, not the job.
      }
    },
  };
}
