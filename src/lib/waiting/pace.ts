import { performance as nodePerformance } from 'node:perf_hooks';

/** Busy milliseconds of the event loop for which one iteration without turns follows. */
const BUSY_MS_PER_REST = 1;
/** The most iterations in a row without turns: about 2 ms. */
const MAX_REST = 32;

const due: (() => void)[] = [];
let isScheduled = false;
let rest = 0;
let busyBefore = 0;

/**
 * Calls back at the start of the next turn, soon after this iteration of the event loop. After a busy turn a few
 * iterations pass first: libuv accepts one new connection per iteration (since 1.45), so under a flood, iterations that
 * are all full of work would let in only 20 connections a second. There is one event loop, hence one pace for all.
 */
export function onNextTurn(begin: () => void): void {
  due.push(begin);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(endTurn);
}

/** Returns true between a busy turn and the next one. Work that can wait should wait for its turn. */
export function isResting(): boolean {
  return rest > 0;
}

function endTurn(): void {
  // Includes promises and callbacks, whose work cannot be measured where it is caused. Idle time is excluded.
  const busyMs = busySoFar() - busyBefore;
  rest = Math.min(MAX_REST, Math.floor(busyMs / BUSY_MS_PER_REST));
  beginTurn();
}

function beginTurn(): void {
  if (rest > 0) {
    setImmediate(() => {
      rest -= 1;
      beginTurn();
    });
    return;
  }
  isScheduled = false;
  busyBefore = busySoFar();
  for (const begin of due.splice(0)) begin();
}

function busySoFar(): number {
  return nodePerformance.eventLoopUtilization().active;
}
