import type { Socket } from 'node:net';
import type { Totals } from '../config/totals.ts';
import { createTurns, type Turns } from '../lib/turns.ts';
import { type ByteTotal, createByteTotal } from './byte-total.ts';
import { createIntake, type Intake } from './intake.ts';
import type { ReadingTurns } from './reading.ts';
import { createUnread, type Unread } from './unread.ts';

/** Weight of requests that are parsed in one turn of the loop; a heavier request has a turn of its own. About 8 ms. */
const WEIGHT_PER_TURN = 2 * 1024 * 1024;
/**
 * A request that weighs less has turns of its own, beside those of heavy ones: a thousand clients that send documents of
 * 6 KB without end would otherwise hold up a batch of 4 KB for seconds.
 */
const LIGHT = WEIGHT_PER_TURN / 8;
/** The same for a batch of 10 KB beside bodies of 60 KB. */
const MIDDLE = WEIGHT_PER_TURN / 2;
const LIGHTER_WEIGHT_PER_TURN = WEIGHT_PER_TURN / 2;
/** Requests that wait for a turn, beside one of each connection. Their bytes are bounded by the intake. */
const MAX_WAITING = 1_000;

/**
 * Subscribers that are woken, or whose subscriptions end, in one turn of the loop: about 40 ms. With 200 a turn, 500
 * subscribers took a third longer.
 */
const SUBSCRIBERS_PER_TURN = 1_500;

/** Posts that are begun in one turn of the loop: a small one takes 0.1 ms. */
const POSTS_PER_TURN = 64;
/** The same for other requests, which take up to 1 ms: Yoga answers them, and some are pages. */
const OTHERS_PER_TURN = 16;

/** Milliseconds for reading connections in one turn of the loop. */
const READING_MS_PER_TURN = 5;

/** What bounds the work and the memory of all connections together. */
export interface Load {
  readonly intake: Intake;
  readonly unread: Unread;
  /** For the open subscriptions of sockets, without the first of each: that is counted with its connection. */
  readonly subscriptions: ByteTotal;
  /** Turns of the loop for parsing requests, by weight. */
  readonly turns: Pick<Turns, 'take'>;
  /** Turns of the loop for beginning requests over HTTP. Those that wait are bounded for each connection. */
  readonly posts: Turns;
  readonly others: Turns;
  readonly reading: ReadingTurns;
  /** Turns of the loop for waking subscribers. Each of them waits at most once, so they are bounded with their number. */
  readonly waking: Turns;
}

/** Makes the bounds of one server. */
export function createLoad(totals: Totals): Load {
  // Their number is bounded by that of connections. Nothing is done for those that are closed.
  const unbounded = {
    maxWaiting: Number.MAX_SAFE_INTEGER,
    isGone: (stream: object) => (stream as Socket).destroyed,
  };
  const reading = { ...unbounded, costPerTurn: READING_MS_PER_TURN };
  return {
    intake: createIntake(totals.requestBytes),
    unread: createUnread(totals.unreadBytes),
    subscriptions: createByteTotal(totals.subscriptionBytes),
    turns: createReadingTurns(),
    posts: createTurns({ ...unbounded, costPerTurn: POSTS_PER_TURN }),
    others: createTurns({ ...unbounded, costPerTurn: OTHERS_PER_TURN }),
    reading: { quick: createTurns(reading), slow: createTurns(reading) },
    waking: createTurns({ costPerTurn: SUBSCRIBERS_PER_TURN, maxWaiting: Number.MAX_SAFE_INTEGER }),
  };
}

function createReadingTurns(): Pick<Turns, 'take'> {
  const lighter = { costPerTurn: LIGHTER_WEIGHT_PER_TURN, maxWaiting: MAX_WAITING };
  const light = createTurns(lighter);
  const middle = createTurns(lighter);
  const heavy = createTurns({ costPerTurn: WEIGHT_PER_TURN, maxWaiting: MAX_WAITING });
  const turnsFor = (weight: number) => {
    if (weight < LIGHT) return light;
    return weight < MIDDLE ? middle : heavy;
  };
  return { take: (owner, weight) => turnsFor(weight).take(owner, weight) };
}
