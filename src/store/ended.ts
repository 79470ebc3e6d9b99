import type { Head, PageDirection, StoredEvent } from './store.ts';

/**
 * Returns true if a page is empty although the run's terminal event is on that side of the cursor. Retention
 * has then moved the event to the `terminal` table.
 */
export function endsBeyond(
  page: readonly StoredEvent[],
  { terminalSeq }: Head,
  cursor: number,
  direction: PageDirection,
): boolean {
  if (page.length > 0 || terminalSeq === null) return false;
  return direction === 'forward' ? terminalSeq > cursor : terminalSeq < cursor;
}
