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
 * Requests up to these weights have turns of their own, beside those of heavier ones: a thousand clients that send
 * documents of 6 KB, or bodies of 60 KB, without end would otherwise hold up a batch of 4 or of 10 KB for seconds.
 */
const CLASSES = [WEIGHT_PER_TURN / 32, WEIGHT_PER_TURN / 8, WEIGHT_PER_TURN / 2, Number.POSITIVE_INFINITY];
/** For each class but the heaviest. */
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
  /** Turns of the loop for parsing requests, by weight. Their promises reject once the connection is closed. */
  readonly turns: Pick<Turns, 'take'>;
  /** The same for parsing and validating documents, so that new documents hold up no batch. */
  readonly documents: Pick<Turns, 'take'>;
  /** Turns of the loop for beginning posts over HTTP. Those that wait are bounded for each connection. */
  readonly posts: Turns;
  /** The same for all other requests over HTTP. */
  readonly others: Turns;
  /** Turns of the loop for reading connections. */
  readonly reading: ReadingTurns;
  /** Turns of the loop for waking subscribers. Each of them waits at most once, so they are bounded with their number. */
  readonly waking: Turns;
}

/** Makes the bounds of one server. */
export function createLoad(totals: Totals): Load {
  // Nothing is done for connections that are closed.
  const isGone = (stream: object) => (stream as Socket).destroyed;
  // Their number is bounded by that of connections.
  const unbounded = { maxWaiting: Number.MAX_SAFE_INTEGER, isGone };
  const reading = { ...unbounded, costPerTurn: READING_MS_PER_TURN };
  return {
    intake: createIntake(totals.requestBytes),
    unread: createUnread(totals.unreadBytes),
    subscriptions: createByteTotal(totals.subscriptionBytes),
    turns: createTurnsByWeight(isGone),
    documents: createTurnsByWeight(isGone),
    posts: createTurns({ ...unbounded, costPerTurn: POSTS_PER_TURN }),
    others: createTurns({ ...unbounded, costPerTurn: OTHERS_PER_TURN }),
    reading: { quick: createTurns(reading), slow: createTurns(reading) },
    waking: createTurns({ costPerTurn: SUBSCRIBERS_PER_TURN, maxWaiting: Number.MAX_SAFE_INTEGER }),
  };
}

function createTurnsByWeight(isGone: (stream: object) => boolean): Pick<Turns, 'take'> {
  const classes = CLASSES.map((most) => ({
    most,
    turns: createTurns({
      costPerTurn: most === Number.POSITIVE_INFINITY ? WEIGHT_PER_TURN : LIGHTER_WEIGHT_PER_TURN,
      maxWaiting: MAX_WAITING,
      isGone,
    }),
  }));
  return { take: (owner, weight) => classes.find(({ most }) => weight < most)!.turns.take(owner, weight) };
}
