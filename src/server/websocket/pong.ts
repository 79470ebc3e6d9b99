import { jsonLengthLeft } from '../../lib/text/json-length.ts';
import { holdReading, type Reading } from '../load/reading.ts';
import { drained } from '../load/unsent.ts';

/**
 * Longer payloads are not echoed: writing megabytes back would block the event loop for a message that
 * requests nothing.
 */
const PAYLOAD_MAX_LENGTH = 1_024;
/** With this many pongs waiting, nothing more is read from a peer until it has read them. */
const MAX_WAITING = 64;

/** The pongs of one socket. */
interface Pongs {
  readonly reading: Reading;
  readonly send: (text: string) => void;
  /** Pongs that the peer has not read yet. Null if there are none. */
  waiting: string[] | null;
  /** Resumes reading from the peer. Null while reading is not held. */
  goOn: (() => void) | null;
}

/**
 * Returns the handler for the protocol's pings on one socket. Pongs that the peer does not read wait here: in
 * the stream, pongs of a few bytes would take 20 times their length.
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
