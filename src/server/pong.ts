import { jsonLengthLeft } from '../lib/json-length.ts';
import { holdReading, type Reading } from './reading.ts';
import { drained } from './unsent.ts';

/** A longer payload is not sent back: to write megabytes again would hold the loop for a message that asks nothing. */
const PAYLOAD_MAX_LENGTH = 1_024;
/** With so many answers waiting, a peer is read no further until it has read. */
const MAX_WAITING = 64;

/** The answers to one socket's pings. */
interface Pongs {
  readonly reading: Reading;
  readonly send: (text: string) => void;
  /** Those that the peer does not read yet; null without one. */
  waiting: string[] | null;
  /** Lets the peer be read again. */
  goOn: (() => void) | null;
}

/**
 * Returns what answers the protocol's pings on one socket. Answers that the peer does not read wait here: in the stream
 * those of a few bytes would take 20 times their length.
 */
export function createPong(reading: Reading, send: (text: string) => void): (payload: unknown) => void {
  const pongs: Pongs = { reading, send, waiting: null, goOn: null };
  return (payload) => answer(pongs, payload);
}

function answer(pongs: Pongs, payload: unknown): void {
  const { reading, send, waiting } = pongs;
  const isShort = payload !== undefined && jsonLengthLeft(payload, PAYLOAD_MAX_LENGTH) >= 0;
  const text = JSON.stringify(isShort ? { type: 'pong', payload } : { type: 'pong' });
  if (waiting) {
    waiting.push(text);
    if (waiting.length >= MAX_WAITING) pongs.goOn ??= holdReading(reading);
  } else if (reading.stream.writableNeedDrain) {
    pongs.waiting = [text];
    void sendWaiting(pongs, pongs.waiting);
  } else {
    send(text);
  }
}

async function sendWaiting(pongs: Pongs, waiting: string[]): Promise<void> {
  const { stream } = pongs.reading;
  while (waiting.length > 0 && !stream.destroyed) {
    await drained(stream);
    let sent = 0;
    for (; sent < waiting.length && !stream.writableNeedDrain; sent += 1) pongs.send(waiting[sent]!);
    waiting.splice(0, sent);
  }
  const { goOn } = pongs;
  pongs.waiting = null;
  pongs.goOn = null;
  goOn?.();
}
