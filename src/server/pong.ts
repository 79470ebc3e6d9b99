import { jsonLengthLeft } from '../lib/json-length.ts';
import { holdReading, type Reading } from './reading.ts';
import { drained } from './unsent.ts';

/** A longer payload is not sent back: to write megabytes again would hold the loop for a message that asks nothing. */
const PAYLOAD_MAX_LENGTH = 1_024;
/** With so many answers waiting, a peer is read no further until it has read. Some more may have been read already. */
const MAX_WAITING = 64;

/**
 * Returns what answers the protocol's pings on one socket. Answers that the peer does not read wait here: in the stream
 * those of a few bytes would take 20 times their length.
 */
export function createPong(reading: Reading, send: (text: string) => void): (payload: unknown) => void {
  const { stream } = reading;
  let waiting: string[] = [];
  let goOn: (() => void) | null = null;

  async function sendWaiting(): Promise<void> {
    while (waiting.length > 0 && !stream.destroyed) {
      await drained(stream);
      let sent = 0;
      for (; sent < waiting.length && !stream.writableNeedDrain; sent += 1) send(waiting[sent]!);
      waiting = waiting.slice(sent);
    }
    goOn?.();
    goOn = null;
  }

  return (payload) => {
    const isShort = payload !== undefined && jsonLengthLeft(payload, PAYLOAD_MAX_LENGTH) >= 0;
    const text = JSON.stringify(isShort ? { type: 'pong', payload } : { type: 'pong' });
    if (waiting.length === 0 && !stream.writableNeedDrain) {
      send(text);
      return;
    }
    waiting.push(text);
    if (waiting.length >= MAX_WAITING) goOn ??= holdReading(reading);
    if (waiting.length === 1) void sendWaiting();
  };
}
