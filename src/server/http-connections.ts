import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Intake } from './intake.ts';
import type { Load } from './load.ts';
import { holdReading, ignoreRest, leaveParser, type Reading, readInParts } from './reading.ts';

/** Bytes of a part with unknown contents: up to 85 chunks of one byte each. */
const PART_BYTES = 512;
/** A request of up to this many bytes is read at once if no other follows it: splitting it takes 5 µs. */
const SMALL_REQUEST_BYTES = 2_048;
/**
 * The most requests of one connection that wait for their answers. The next one is read when one of these is
 * answered.
 */
const MAX_UNANSWERED = 16;
/** Memory of a request in addition to the text of its headers: 1 to 2 KB, plus a share per header. */
const REQUEST_BYTES = 2_048;
const HEADER_BYTES = 64;

const END_OF_HEAD = '\r\n\r\n';

/** A connection that carries HTTP requests. */
interface HttpConnection {
  readonly reading: Reading;
  readonly intake: Intake;
  /**
   * The request that started last. Null once it has arrived completely and is answered, because it takes
   * kilobytes.
   */
  request: PacedRequest | null;
  /** Bytes received of the request's body. */
  received: number;
  /** Requests without an answer. Node keeps all of them while the first one is being answered. */
  unanswered: number;
  /** Bytes of unanswered requests that the intake counts. */
  heldBytes: number;
  /** Resumes reading the connection. Null while it is not held. */
  goOn: (() => void) | null;
}

const connections = new WeakMap<Socket, HttpConnection>();

/** Starts to read a connection. Call this after Node has added its listeners. */
export function openHttpConnection(socket: Socket, { reading: turns, intake }: Load): void {
  const reading = readInParts(socket, turns, (bytes) => partOf(connection, bytes));
  const connection: HttpConnection = {
    reading,
    intake,
    request: null,
    received: 0,
    unanswered: 0,
    heldBytes: 0,
    goOn: null,
  };
  connections.set(socket, connection);
  socket.on('close', onClose);
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

  constructor(socket: Socket) {
    super(socket);
    const connection = connectionOf(socket);
    this.over = connection;
    connection.request = this;
    connection.received = 0;
    connection.unanswered += 1;
    if (connection.unanswered >= MAX_UNANSWERED) connection.goOn ??= holdReading(connection.reading);
  }

  /**
   * True if the request has an `Upgrade` that is ignored. Nothing after it on its connection may be read: after such a
   * message Node's parser drops the rest of what it was given, and would read what follows as the next request,
   * although it may begin in the middle of one.
   */
  get ignoresUpgrade(): boolean {
    return this.found === true && !this.upgrade;
  }

  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (chunk) this.over.received += chunk.length;
    else if (this.ignoresUpgrade) ignoreRest(this.over.reading);
    return super.push(chunk, encoding);
  }

  get upgrade(): boolean {
    return this.found === true && (this.method === 'CONNECT' || asksForWebsocket(this));
  }

  set upgrade(found: unknown) {
    this.found = found;
  }
}

/**
 * Counts a request that was sent without waiting for the answers to others (RFC 9112, section 9.3.2): behind
 * a stream without an end such requests would fill the heap. Returns the function to call when its answer is
 * written, or null if there is no room for the request.
 */
export function beginRequest(request: IncomingMessage): (() => void) | null {
  const { socket, rawHeaders } = request;
  const connection = connectionOf(socket);
  const bytes = connection.unanswered <= 1 ? 0 : bytesOf(rawHeaders);
  if (bytes > 0 && !connection.intake.take(bytes)) return null;
  connection.heldBytes += bytes;
  return () => {
    release(connection, bytes);
    if (connection.request === request && request.complete) connection.request = null;
    connection.unanswered -= 1;
    const { goOn } = connection;
    connection.goOn = null;
    goOn?.();
  };
}

/**
 * Stops reading requests. Returns the bytes after the last request: the `head` that Node reports, and any
 * unread rest.
 */
export function leaveHttp(socket: Socket, head: Buffer): Buffer {
  const connection = connectionOf(socket);
  release(connection, connection.heldBytes);
  connection.goOn?.();
  // The record and the listener take memory, and there may be thousands of websockets.
  connections.delete(socket);
  socket.off('close', onClose);
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

/** A part is the rest of a body of known length, the head of one request, or a few bytes of anything else. */
function partOf({ request, received }: HttpConnection, bytes: Buffer): number {
  if (request && !request.complete) {
    const length = Number(request.headers['content-length']);
    return length > received ? Math.min(bytes.length, length - received) : PART_BYTES;
  }
  if (bytes.length <= SMALL_REQUEST_BYTES && !holdsTwoHeads(bytes)) return bytes.length;
  const end = bytes.subarray(0, PART_BYTES).indexOf(END_OF_HEAD);
  return end < 0 ? Math.min(bytes.length, PART_BYTES) : end + END_OF_HEAD.length;
}

function holdsTwoHeads(bytes: Buffer): boolean {
  return bytes.indexOf(END_OF_HEAD) !== bytes.lastIndexOf(END_OF_HEAD);
}

function onClose(this: Socket): void {
  const connection = connectionOf(this);
  release(connection, connection.heldBytes);
}

function release(connection: HttpConnection, bytes: number): void {
  const { intake, heldBytes } = connection;
  // When the connection closes, all of its bytes are released.
  const given = Math.min(heldBytes, bytes);
  connection.heldBytes -= given;
  intake.give(given);
}

function bytesOf(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((bytes, text) => bytes + HEADER_BYTES + text.length, REQUEST_BYTES);
}
