import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Intake } from './intake.ts';
import type { Load } from './load.ts';
import { holdReading, leaveParser, type Reading, readInParts } from './reading.ts';

/** Bytes of a part that may hold anything: 85 chunks of a byte each. */
const PART_BYTES = 512;
/** Up to here a request is read at once when no other follows it: to part it takes 5 µs. */
const SMALL_REQUEST_BYTES = 2_048;
/** The most requests of one connection that wait for their answers. The next one is read when one of them is answered. */
const MAX_UNANSWERED = 16;
/** What a request takes beside the text of its headers: 1 to 2 KB, and each header its share. */
const REQUEST_BYTES = 2_048;
const HEADER_BYTES = 64;

const END_OF_HEAD = '\r\n\r\n';

/** A connection over which requests come. */
interface HttpConnection {
  readonly reading: Reading;
  readonly intake: Intake;
  /** The request that began last; null once all of it has come and it is answered, since it takes kilobytes. */
  request: PacedRequest | null;
  /** Bytes of its body that have come. */
  received: number;
  /** Requests that have no answer. Node keeps them all while the first one takes its time. */
  unanswered: number;
  /** Bytes of them that the intake counts. */
  heldBytes: number;
  /** Lets the connection be read again. */
  goOn: (() => void) | null;
}

const connections = new WeakMap<Socket, HttpConnection>();

/** Begins to read a connection, once Node has added its listeners. */
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
 * A request as it is parsed: it tells its connection what is read. Node hands it to the `upgrade` listener only when it
 * asks for a websocket; with any other `Upgrade`, such as h2c from `curl --http2` and Java's HttpClient, it is answered
 * as if it had none (RFC 9110, 7.8). Node before 24.9 has no option for this: with a listener it takes every `Upgrade` as
 * accepted. It asks the request's `upgrade` after it has read the headers, and `http.createServer({ IncomingMessage })`
 * is its documented way to decide that property.
 */
export class PacedRequest extends IncomingMessage {
  /** What Node's parser found. Declared only: Node's constructor sets `upgrade` before fields would be initialised. */
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

  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (chunk) this.over.received += chunk.length;
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
 * Counts a request that was sent without waiting for the answers to others (RFC 9112, section 9.3.2): behind a stream
 * without an end they would fill the heap. Returns what is to be called when its answer is written. Null: there is no
 * room for it.
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

/** Ends reading requests. Returns what came after the last one: its `head`, as Node tells it, and more. */
export function leaveHttp(socket: Socket, head: Buffer): Buffer {
  const connection = connectionOf(socket);
  release(connection, connection.heldBytes);
  connection.goOn?.();
  // Both take memory, and there may be thousands of websockets.
  connections.delete(socket);
  socket.off('close', onClose);
  return leaveParser(connection.reading, head);
}

function connectionOf(socket: Socket): HttpConnection {
  const connection = connections.get(socket);
  if (!connection) throw new Error('the connection was not opened');
  return connection;
}

function asksForWebsocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** A part is the rest of a body whose length is known, the head of one request, or little of anything else. */
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
  // Once the connection is closed, all of its bytes are given back.
  const given = Math.min(heldBytes, bytes);
  connection.heldBytes -= given;
  intake.give(given);
}

function bytesOf(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((bytes, text) => bytes + HEADER_BYTES + text.length, REQUEST_BYTES);
}
