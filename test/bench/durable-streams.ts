import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listeningUrl, startProgram } from './child.ts';

/** Durable Streams' reference server in a separate process. */
export interface DurableStreams {
  readonly url: string;
  close(): Promise<void>;
}

/** A producer of one stream on one connection. */
export interface Appender {
  append(json: string): Promise<void>;
  /** Throws unless the server's offset confirms that every appended byte is stored. */
  check(): Promise<void>;
  /**
   * Removes the stream. With more than a hundred streams the server closes files that are still being
   * written.
   */
  remove(): Promise<void>;
}

/** The type of a byte stream. With `application/json` the server would parse and rewrite every append. */
const CONTENT_TYPE = 'application/octet-stream';
/** Bytes that the file store adds to each append: its length and a line end. */
const FRAME_BYTES = 5;

/** Starts the server with an empty folder. */
export async function startDurableStreams(): Promise<DurableStreams> {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-bench-streams-'));
  const drop = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', drop);
  const child = startProgram('durable-streams-server.mjs', { DATA_FOLDER: folder });
  return {
    url: await listeningUrl(child),
    close: async () => {
      await child.stop();
      process.off('exit', drop);
      drop();
    },
  };
}

/** Creates a stream and connects to it. */
export async function openAppender({ url }: DurableStreams, stream: string): Promise<Appender> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method: 'PUT' | 'POST' | 'HEAD' | 'DELETE', body: Buffer): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': CONTENT_TYPE, 'content-length': body.length };
      const asking = request(`${url}/${stream}`, { agent, method, headers }, (response) => {
        const { statusCode = 0 } = response;
        response.on('error', reject);
        response.on('end', () => {
          if (statusCode >= 200 && statusCode < 300) resolve(String(response.headers['stream-next-offset']));
          else reject(new Error(`${method} returned ${statusCode}`));
        });
        response.resume();
      });
      asking.on('error', reject);
      asking.end(body);
    });
  await ask('PUT', Buffer.alloc(0));
  let expected = 0;
  return {
    append: async (json) => {
      const body = Buffer.from(json);
      expected += body.length + FRAME_BYTES;
      await ask('POST', body);
    },
    check: async () => {
      const offset = await ask('HEAD', Buffer.alloc(0));
      const stored = Number(offset.split('_').at(-1));
      if (stored !== expected) throw new Error(`${expected} bytes acknowledged, ${stored} stored`);
    },
    remove: async () => {
      await ask('DELETE', Buffer.alloc(0));
      agent.destroy();
    },
  };
}
