import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { REQUEST_MAX_BYTES } from '../../config/limits.ts';
import type { FaultCode } from '../../contract/errors.ts';
import type { Request } from '../load/intake.ts';
import type { Load } from '../load/load.ts';
import { readingTurn } from '../load/weight.ts';

/** Why a request body is refused: HTTP status, error code and message. */
export interface BodyRefusal {
  readonly status: number;
  readonly code: FaultCode;
  readonly message: string;
}

/**
 * A body that is ready to be parsed: complete, valid UTF-8, not too heavy, and in an event-loop turn with
 * time for it.
 */
export interface ReadBody {
  readonly bytes: Buffer;
  /** Counts the bytes of the body until released. */
  readonly held: Request;
}

/** The message for a request that is too heavy, on every transport. */
export const TOO_HEAVY =
  'the request contains too many values, objects or keys: send fewer events per batch, or large data as text';

/** The message for a request that does not fit into memory, on every transport. */
export const NO_ROOM = 'too many requests are in memory: retry in a moment';

const NO_BYTES = Buffer.alloc(0);

const TOO_LARGE: BodyRefusal = {
  status: 413,
  code: 'BODY_TOO_LARGE',
  message: `the body exceeds ${REQUEST_MAX_BYTES} bytes: send fewer events per batch`,
};
const TOO_HEAVY_BODY: BodyRefusal = { status: 413, code: 'BODY_TOO_LARGE', message: TOO_HEAVY };
const OVERLOADED: BodyRefusal = { status: 503, code: 'OVERLOADED', message: NO_ROOM };
const NOT_UTF8: BodyRefusal = {
  status: 400,
  code: 'BAD_REQUEST',
  message: 'the body is not UTF-8: encode it as UTF-8',
};

/**
 * Reads the body of a request and calls back once, unless the client disconnects first. `onBody` receives the
 * body and must release it; `onRefused` receives the reason for a refusal. If possible, the call happens in
 * the event-loop turn that brings the last byte.
 */
export function readBody(
  request: IncomingMessage,
  { intake, turns }: Load,
  onBody: (body: ReadBody) => void,
  onRefused: (refusal: BodyRefusal) => void,
): void {
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (length > REQUEST_MAX_BYTES) {
    onRefused(TOO_LARGE);
    return;
  }
  const held = intake.begin(() => request.socket.destroy(), Number.isNaN(length) ? null : length);
  let body: Buffer | null = null;
  let received = 0;
  const stop = () => {
    request.off('data', take).off('end', finish).off('close', leave);
  };
  const leave = () => {
    stop();
    held.release();
  };
  const refuse = (refusal: BodyRefusal) => {
    leave();
    onRefused(refusal);
  };
  const finish = () => {
    stop();
    held.arrived();
    const bytes = body === null ? NO_BYTES : body.length === received ? body : body.subarray(0, received);
    if (!isUtf8(bytes)) return refuse(NOT_UTF8);
    const turn = readingTurn(bytes, turns, request.socket);
    if (!turn) return onBody({ bytes, held });
    void turn.then((admission) => {
      if (admission === 'may be read') onBody({ bytes, held });
      else refuse(admission === 'too heavy' ? TOO_HEAVY_BODY : OVERLOADED);
    });
  };
  const take = (chunk: Buffer) => {
    if (received + chunk.length > REQUEST_MAX_BYTES) return refuse(TOO_LARGE);
    if (!held.add(chunk.length)) return refuse(OVERLOADED);
    body = body === null ? chunk : appended(body, received, chunk);
    received += chunk.length;
    // The last byte of a body of known length arrives before the stream emits `end`.
    if (received === length) finish();
  };
  request.on('data', take).on('end', finish).on('close', leave);
}

/**
 * Returns a buffer with the first `length` bytes of `body` followed by the chunk. Keeping one-byte chunks as
 * a list would take far more memory.
 */
function appended(body: Buffer, length: number, chunk: Buffer): Buffer {
  const needed = length + chunk.length;
  // A body that arrived in one chunk is that chunk. It is never written to, because its memory is shared.
  const full = needed > body.length;
  const into = full
    ? Buffer.allocUnsafeSlow(Math.min(REQUEST_MAX_BYTES, Math.max(needed, 2 * length)))
    : body;
  if (full) body.copy(into, 0, 0, length);
  chunk.copy(into, length);
  return into;
}
