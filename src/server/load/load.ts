import type { Socket } from 'node:net';
import type { Totals } from '../../config/totals.ts';
import { createTurns, type Turns } from '../../lib/waiting/turns.ts';
import { type ByteTotal, createByteTotal } from './byte-total.ts';
import { createIntake, type Intake } from './intake.ts';
import type { ReadingTurns } from './reading.ts';
import { createUnread, type Unread } from './unread.ts';

/**
 * The weight of requests parsed in one event-loop turn, about 8 ms. A heavier request gets a turn to itself.
 */
const WEIGHT_PER_TURN = 2 * 1024 * 1024;
/**
 * Each class of requests, up to one of these weights, has separate turns. Otherwise a thousand clients that
 * constantly send documents of 6 KB, or bodies of 60 KB, would delay a batch of 4 or 10 KB for seconds.
 */
const CLASSES = [WEIGHT_PER_TURN / 32, WEIGHT_PER_TURN / 8, WEIGHT_PER_TURN / 2, Number.POSITIVE_INFINITY];
/** The weight per turn of every class except the heaviest. */
const LIGHTER_WEIGHT_PER_TURN = WEIGHT_PER_TURN / 2;
/** Requests that may wait for a turn, in addition to one per connection. The intake bounds their bytes. */
const MAX_WAITING = 1_000;

/**
 * Subscribers woken, or subscriptions ended, in one event-loop turn: about 40 ms. With 200 per turn, serving
 * 500 subscribers took a third longer.
 */
const SUBSCRIBERS_PER_TURN = 1_500;

/** Posts, or websocket operations, started in one event-loop turn. A small one takes 0.1 ms. */
const STARTED_PER_TURN = 64;
/**
 * The share of such a turn that another request takes. It may last 1 ms, because Yoga answers it or it is a page. A probe
 * is as cheap as a small post.
 */
export const OTHER_COST = 4;
export const PROBE_COST = 1;

/** Milliseconds for reading connections in one event-loop turn. */
const READING_MS_PER_TURN = 5;

/** The bounds on work and memory for all connections together. */
export interface Load {
  readonly intake: Intake;
  readonly unread: Unread;
  /**
   * Bytes of open subscriptions with their documents. A small first one of a connection counts as part of the
   * connection.
   */
  readonly subscriptions: ByteTotal;
  /** Bytes that were parsed for operations in progress: documents, and variables that are no batches. */
  readonly pending: ByteTotal;
  /**
   * Event-loop turns for parsing requests, by weight. Their promises reject once the connection is closed.
   */
  readonly turns: Pick<Turns, 'take'>;
  /**
   * Event-loop turns for parsing and validating documents, separate so that new documents do not delay
   * batches.
   */
  readonly documents: Pick<Turns, 'take'>;
  /** Event-loop turns for starting posts over HTTP. The number that wait is bounded per connection. */
  readonly posts: Turns;
  /** Event-loop turns for starting all other requests over HTTP. */
  readonly others: Turns;
  /** Event-loop turns for starting the operations of websockets. Each socket waits with one at most. */
  readonly operations: Turns;
  /** Event-loop turns for reading connections. */
  readonly reading: ReadingTurns;
  /**
   * Event-loop turns for waking subscribers. Each subscriber waits at most once, so their number bounds the
   * queue.
   */
  readonly waking: Turns;
}

/** Creates the bounds of one server from its totals. */
export function createLoad(totals: Totals): Load {
  // No work is done for closed connections.
  const isGone = (stream: object) => (stream as Socket).destroyed;
  // The number of connections bounds these queues.
  const unbounded = { maxWaiting: Number.MAX_SAFE_INTEGER, isGone };
  const reading = { ...unbounded, costPerTurn: READING_MS_PER_TURN };
  return {
    intake: createIntake(totals.requestBytes),
    unread: createUnread(totals.unreadBytes),
    subscriptions: createByteTotal(totals.subscriptionBytes),
    pending: createByteTotal(totals.pendingBytes, true),
    turns: createTurnsByWeight(isGone),
    documents: createTurnsByWeight(isGone),
    posts: createTurns({ ...unbounded, costPerTurn: STARTED_PER_TURN }),
    others: createTurns({ ...unbounded, costPerTurn: STARTED_PER_TURN }),
    operations: createTurns({ ...unbounded, costPerTurn: STARTED_PER_TURN }),
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
