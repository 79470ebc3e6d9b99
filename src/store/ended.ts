import type { Head, PageDirection, StoredEvent } from './store.ts';

/**
 * Whether a page is empty although the run's terminal event lies on that side of the cursor: then retention has set
 * it aside.
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
