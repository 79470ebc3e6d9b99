import type { Socket } from 'node:net';
import { jsonLengthLeft } from '../lib/json-length.ts';
import { drained } from './unsent.ts';

/** A longer payload is not sent back: to write megabytes again would hold the loop for a message that asks nothing. */
const PAYLOAD_MAX_LENGTH = 1_024;

/**
 * Returns what answers the protocol's pings on one socket. Where the peer does not read, one answer waits and stands for
 * all: waiting answers of a few bytes each took 20 times their length.
 */
export function createPong(stream: Socket, send: (text: string) => void): (payload: unknown) => void {
  let isWaiting = false;
  return (payload) => {
    if (isWaiting) return;
    const isShort = payload !== undefined && jsonLengthLeft(payload, PAYLOAD_MAX_LENGTH) >= 0;
    const text = JSON.stringify(isShort ? { type: 'pong', payload } : { type: 'pong' });
    if (!stream.writableNeedDrain) {
      send(text);
      return;
    }
    isWaiting = true;
    void drained(stream).then(() => {
      isWaiting = false;
      send(text);
    });
  };
}
