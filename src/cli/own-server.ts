import { randomBytes } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { ReadableStream } from 'node:stream/web';
import { CHALLENGE_HEADER, isProven, PROOF_HEADER } from '../auth/admin-proof.ts';
import type { FetchLike } from '../client/request/answer.ts';
import { webSocketWith } from './websocket.ts';

/**
 * The server on this machine that has the admin token in its file. The token only travels on connections on
 * which the server has just proven that it knows the token: whatever else listens on the server's port, for
 * example while the server restarts, gets nothing.
 */
export interface OwnServer {
  /**
   * Connects once. `needs no token`: the server may have another admin token or none, and gets none. Rejects
   * if nothing answers, and with an error that says what to do if the server does not prove anything.
   */
  meet(): Promise<'has the token' | 'needs no token'>;
  /** Sends requests with the token. */
  readonly fetchImpl: FetchLike;
  /** Opens websockets with the token. */
  readonly webSocketImpl: unknown;
}

/** The server requires a token but does not prove that it knows the one in the file. */
export class NotProven extends Error {
  override readonly name = 'NotProven';
}

/** How long a server has to accept a connection and prove itself, in milliseconds. */
const PROOF_MS = 5_000;
/** The most bytes of the head of an answer. A runfeed server's has about 300. */
const HEAD_MAX_BYTES = 16 * 1024;
const CHALLENGE_BYTES = 32;
const UNAUTHORIZED = 401;
/** Statuses of answers that have no body. */
const BODILESS = [204, 205, 304];

/** Prepares connections to the own server at this `http:` URL. `file` is named in errors. */
export function openOwnServer(url: string, token: string, file: string): OwnServer {
  const authorization = `Bearer ${token}`;

  /** Returns the connection and whether the server has proven on it that it knows the token. */
  async function dial(): Promise<{ readonly socket: Socket; readonly answer: Answer }> {
    const { hostname, host, port, pathname, search } = new URL(url);
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || 80 });
    const challenge = randomBytes(CHALLENGE_BYTES).toString('base64url');
    // A HEAD request has an answer without a body, after which the connection serves the next request.
    const head = await headOf(
      socket,
      `HEAD ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n${CHALLENGE_HEADER}: ${challenge}\r\n\r\n`,
    );
    const end = { address: socket.remoteAddress, port: socket.remotePort };
    if (statusOf(head) !== UNAUTHORIZED) return { socket, answer: 'needs no token' };
    const isOwn = isProven(proofIn(head), token, challenge, end);
    return { socket, answer: isOwn ? 'has the token' : 'has another token' };
  }

  const notProven = (): NotProven =>
    new NotProven(
      `${url} does not prove that it has the admin token in ${file}, which was therefore not sent: if the server is yours, pass its token with --token or RUNFEED_TOKEN`,
    );

  async function dialOwn(): Promise<Socket> {
    const { socket, answer } = await dial();
    if (answer === 'has the token') return socket;
    socket.destroy();
    throw notProven();
  }

  const agentFor = (keepAlive: boolean): Agent =>
    Object.assign(new Agent({ keepAlive }), {
      createConnection: (_options: unknown, done: (error: Error | null, socket?: Socket) => void): void => {
        dialOwn().then((socket) => done(null, socket), done);
      },
    });
  const agent = agentFor(true);

  return {
    meet: async () => {
      const { socket, answer } = await dial();
      socket.destroy();
      if (answer === 'has another token') throw notProven();
      return answer;
    },
    fetchImpl: (target, { method, headers, body, signal }) =>
      new Promise((resolve, reject) => {
        const sent = request(target, { agent, method, headers: { ...headers, authorization }, signal });
        sent.once('error', (error) => reject(signal?.aborted ? signal.reason : error));
        sent.once('response', (answer) => resolve(responseOf(answer)));
        sent.end(body);
      }),
    webSocketImpl: webSocketWith({ agent: agentFor(false), headers: { authorization } }),
  };
}

type Answer = 'has the token' | 'has another token' | 'needs no token';

/** Sends a request and returns the head of the answer. The socket has no listeners afterwards. */
async function headOf(socket: Socket, request: string): Promise<string> {
  const late = setTimeout(() => socket.destroy(new Error('no response in time')), PROOF_MS);
  let head = '';
  let listeners: readonly (readonly [string, (error: Error) => void])[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const take = (): void => {
        for (let bytes: Buffer | null = socket.read(); bytes; bytes = socket.read()) {
          head += bytes.toString('latin1');
        }
        if (head.includes('\r\n\r\n') || head.length > HEAD_MAX_BYTES) resolve();
      };
      listeners = [
        ['readable', take],
        ['error', reject],
        ['close', () => reject(new Error('the connection was closed'))],
      ];
      for (const [event, listener] of listeners) socket.on(event, listener);
      socket.write(request);
    });
    return head;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(late);
    for (const [event, listener] of listeners) socket.off(event, listener);
    // The next owner of the socket adds its own listener for errors only a little later.
    socket.on('error', () => {});
  }
}

function statusOf(head: string): number {
  return Number(/^HTTP\/1\.[01] (\d{3}) /.exec(head)?.[1]);
}

function proofIn(head: string): string {
  // Nothing may follow the head: it would be taken for the start of the next answer.
  if (head.indexOf('\r\n\r\n') !== head.length - 4) return '';
  const line = head
    .split('\r\n')
    .map((each) => each.split(/: */, 2))
    .find(([name]) => name?.toLowerCase() === PROOF_HEADER);
  return line?.[1]?.trim() ?? '';
}

function responseOf(answer: IncomingMessage): Response {
  const { statusCode: status = 500, headers } = answer;
  const type = headers['content-type'];
  return new Response(
    BODILESS.includes(status) ? null : (ReadableStream.from(answer) as globalThis.ReadableStream),
    {
      status,
      ...(type !== undefined && { headers: { 'content-type': type } }),
    },
  );
}
