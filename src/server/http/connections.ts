import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Load } from '../load/load.ts';
import { holdReading, ignoreRest, leaveParser, type Reading, readInParts } from '../load/reading.ts';

/** Bytes of a part with unknown contents: up to 85 chunks of one byte each. */
const PART_BYTES = 512;
/** A request of up to this many bytes is read at once if no other follows it: splitting it takes 5 µs. */
const SMALL_REQUEST_BYTES = 2_048;

/** A buffer: a search for text would encode the text again for each request. */
const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** A connection that carries HTTP requests. */
interface HttpConnection {
  readonly reading: Reading;
  /**
   * The request that started last. Null once it has arrived completely and is answered, because it takes
   * kilobytes.
   */
  request: PacedRequest | null;
  /** Bytes received of the request's body. */
  received: number;
  /** Requests without an answer. */
  unanswered: number;
  /** Resumes reading the connection. Null while it is not held. */
  goOn: (() => void) | null;
}

const connections = new WeakMap<Socket, HttpConnection>();

/** Starts to read a connection. Call this after Node has added its listeners. */
export function openHttpConnection(socket: Socket, { reading: turns }: Load): void {
  const reading = readInParts(socket, turns, (bytes) => partOf(connection, bytes));
  const connection: HttpConnection = {
    reading,
    request: null,
    received: 0,
    unanswered: 0,
    goOn: null,
  };
  connections.set(socket, connection);
}

/**
 * A request that reports to its connection what is read. Node passes a request to the `upgrade` listener only
 * if it asks for a websocket. A request with any other `Upgrade`, such as h2c from `curl --http2` and Java's
 * HttpClient, is answered as if it had none (RFC 9110, 7.8), as the last one of its connection. Node before 24.9 has no option for this: if
 * there is a listener, it accepts every `Upgrade`. Node reads the request's `upgrade` after the headers, and
 * `http.createServer({ IncomingMessage })` is its documented way to override that property.
 */
export class PacedRequest extends IncomingMessage {
  /**
   * The value that Node's parser set. Only declared, because Node's constructor sets `upgrade` before class
   * fields are initialized.
   */
  declare private found: unknown;
  private readonly over: HttpConnection;
  /** False if an earlier request of the connection had no answer when this one was read. */
  private readonly isAlone: boolean;

  constructor(socket: Socket) {
    super(socket);
    const connection = connectionOf(socket);
    this.over = connection;
    connection.request = this;
    connection.received = 0;
    connection.unanswered += 1;
    this.isAlone = connection.unanswered === 1;
  }

  /**
   * True if the request has an `Upgrade` that is ignored. Nothing after it on its connection may be read: after such a
   * message Node's parser drops the rest of what it was given, and would read what follows as the next request,
   * although it may begin in the middle of one.
   */
  get ignoresUpgrade(): boolean {
    return this.found === true && !this.upgrade;
  }

  /** Reads the next request of the connection, now that the answer to this one is written. */
  answered(): void {
    const connection = this.over;
    if (connection.request === this && this.complete) connection.request = null;
    connection.unanswered -= 1;
    const { goOn } = connection;
    connection.goOn = null;
    goOn?.();
  }

  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (chunk) this.over.received += chunk.length;
    else if (this.ignoresUpgrade) ignoreRest(this.over.reading);
    return super.push(chunk, encoding);
  }

  /** An upgrade behind a request without an answer is ignored: that answer would go to the websocket. */
  get upgrade(): boolean {
    return this.found === true && (this.method === 'CONNECT' || (this.isAlone && asksForWebsocket(this)));
  }

  set upgrade(found: unknown) {
    this.found = found;
  }
}

/**
 * Stops reading requests. Returns the bytes after the last request: the `head` that Node reports, and any
 * unread rest.
 */
export function leaveHttp(socket: Socket, head: Buffer): Buffer {
  const connection = connectionOf(socket);
  connection.goOn?.();
  // The record takes memory, and there may be thousands of websockets.
  connections.delete(socket);
  return leaveParser(connection.reading, head);
}

function connectionOf(socket: Socket): HttpConnection {
  const connection = connections.get(socket);
  if (!connection) throw new Error('openHttpConnection was not called for this connection');
  return connection;
}

function asksForWebsocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * A part is the rest of a body of known length, the head of one request, or a few bytes of anything else. A
 * request that was sent without waiting for the answer to the one before (RFC 9112, section 9.3.2) is not read
 * before that answer is written: behind a stream without an end, such requests and their bodies would fill the
 * heap. One part may contain several small requests; then the body of the last one waits.
 */
function partOf(connection: HttpConnection, bytes: Buffer): number {
  const { request, received, unanswered } = connection;
  const isArriving = request !== null && !request.complete;
  if (unanswered > (isArriving ? 1 : 0)) {
    connection.goOn ??= holdReading(connection.reading);
    return 0;
  }
  if (isArriving) {
    const length = Number(request.headers['content-length']);
    return length > received ? Math.min(bytes.length, length - received) : PART_BYTES;
  }
  if (bytes.length <= SMALL_REQUEST_BYTES && !holdsTwoHeads(bytes)) return bytes.length;
  const end = bytes.subarray(0, PART_BYTES).indexOf(END_OF_HEAD);
  return end < 0 ? Math.min(bytes.length, PART_BYTES) : end + END_OF_HEAD.length;
}

function holdsTwoHeads(bytes: Buffer): boolean {
  const end = bytes.indexOf(END_OF_HEAD);
  return end >= 0 && bytes.indexOf(END_OF_HEAD, end + 1) >= 0;
}
