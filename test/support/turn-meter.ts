import { releaseAfterwards } from './releases.ts';

/** Adds up the work done in each event-loop turn. */
export interface TurnMeter {
  add(amount: number): void;
  /** Returns the most work done in one turn. */
  most(): number;
  /** Returns the total work of all turns. */
  all(): number;
  /** Returns the number of turns. */
  turns(): number;
}

/** Starts a meter at zero. It stops at the end of the test. */
export function startTurnMeter(): TurnMeter {
  let inTurn = 0;
  let most = 0;
  let all = 0;
  let turns = 0;
  let timer = setImmediate(function next() {
    inTurn = 0;
    turns += 1;
    timer = setImmediate(next);
  });
  releaseAfterwards(() => clearImmediate(timer));
  return {
    add: (amount) => {
      inTurn += amount;
      all += amount;
      most = Math.max(most, inTurn);
    },
    most: () => most,
    all: () => all,
    turns: () => turns,
  };
}
