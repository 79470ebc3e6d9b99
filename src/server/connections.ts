import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Logger } from 'pino';

/** Descriptors that the store, logs and jobs need. */
const RESERVED_DESCRIPTORS = 256;
const WARN_MS = 60_000;

/**
 * Closes new connections at once beyond `fromHeap`, or beyond what the process may open files. Accepting fails without
 * descriptors, and so would the store and jobs.
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
      'new connections are closed: there are as many as this process may have',
    );
  });
}

/** How many files the process may open; infinite where the system does not say. */
function descriptors(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    // Linux alone has the file.
    return Number.POSITIVE_INFINITY;
  }
}
