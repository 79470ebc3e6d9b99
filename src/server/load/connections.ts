import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Logger } from 'pino';

/** File descriptors reserved for the store, logs and jobs. */
const RESERVED_DESCRIPTORS = 256;
const WARN_MS = 60_000;

/**
 * Closes new connections at once when more than `fromHeap` are open, or more than the process has file
 * descriptors for. Without free descriptors accepting would fail, and so would the store and jobs.
 */
export function boundConnections(http: Server, fromHeap: number, log: Logger): void {
  const bound = Math.max(1, Math.min(fromHeap, descriptors() - RESERVED_DESCRIPTORS));
  http.maxConnections = bound;
  let warned = Number.NEGATIVE_INFINITY;
  http.on('drop', () => {
    const now = performance.now();
    if (now - warned < WARN_MS) return;
    warned = now;
    log.warn(
      { connections: bound },
      'closing new connections: raise the heap size or the limit of open files to allow more',
    );
  });
}

/** Returns how many files the process may open. Infinite if the system does not say. */
function descriptors(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    // Only Linux has this file.
    return Number.POSITIVE_INFINITY;
  }
}
