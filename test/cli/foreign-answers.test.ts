import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { streamEvents } from '../../src/client/stream/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { runRunfeed, startRunfeed } from '../support/runfeed-process.ts';
import { freshFolder } from '../support/scripts.ts';

/** A server that answers HTTP requests as told, and websockets if `hear` is given. */
async function startForeign(answer: RequestListener, hear?: (socket: WebSocket) => void) {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => answer(request, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  releaseAfterwards(() => {
    server.closeAllConnections();
    server.close();
  });
  if (hear) {
    const sockets = new WebSocketServer({ server, handleProtocols: () => 'graphql-transport-ws' });
    sockets.on('connection', hear);
    releaseAfterwards(() => {
      for (const socket of sockets.clients) socket.terminate();
    });
  }
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const answering =
  (text: string): RequestListener =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  };

const envFor = async (url: string) => ({
  RUNFEED_URL: url,
  RUNFEED_TOKEN: 'x',
  TMPDIR: await freshFolder(),
});

const COMMANDS = [
  ['runs'],
  ['runs', '--json'],
  ['tail', 'r'],
  ['logs', 'r'],
  ['stop', 'r'],
  ['pipe', '--', 'true'],
  ['pipe', '--run', 'r', '--', 'true'],
];

describe('an answer that is not a runfeed server’s', () => {
  const NO_ANSWERS = [
    '<html>welcome to this hotel</html>',
    '7',
    'null',
    '[]',
    '{"errors":7}',
    '{"errors":[null]}',
  ];
  const WRONG_DATA = [
    '{"data":[]}',
    '{"data":null}',
    '{"data":{"runs":null,"run":7,"job":7,"stopJob":null,"createRun":null}}',
    '{"data":{"runs":{"nodes":[null]},"run":[],"job":[],"stopJob":[],"createRun":[]}}',
    '{"data":{"runs":{"nodes":[{"id":7}]},"run":"r","job":{"logs":7},"stopJob":{"job":7},"createRun":{"run":7}}}',
  ];

  async function expectUnexpected(command: readonly string[], answers: readonly string[]): Promise<void> {
    for (const text of answers) {
      const url = await startForeign(answering(text));
      const { code, stdout, stderr } = await runRunfeed(command, await envFor(url));
      expect({ text, code, stdout }).toEqual({ text, code: 1, stdout: '' });
      expect(stderr).toMatch(/^runfeed: unexpected response from .*: is this a runfeed server\?.*\n$/);
    }
  }

  // All commands read whether there is an answer in one place, and each reads its own data.
  test('is named as such in one line', () => expectUnexpected(['runs'], NO_ANSWERS));

  test.each(COMMANDS)('is named as such in one line by %s %s', (...args) =>
    expectUnexpected(args.filter(Boolean), WRONG_DATA),
  );

  test('is not a claim', async () => {
    for (const text of [
      NO_ANSWERS[0]!,
      ...WRONG_DATA,
      '{"data":{"claimJob":null}}',
      '{"data":{"claimJob":[]}}',
    ]) {
      let asked = 0;
      const url = await startForeign((request, response) => {
        asked += 1;
        if (asked === 1) answering(text)(request, response);
        else
          answering('{"errors":[{"message":"no","extensions":{"code":"UNAUTHENTICATED"}}]}')(
            request,
            response,
          );
      });
      const env = { RUNFEED_RUN_ID: 'r', RUNFEED_API_BASE: url, RUNFEED_RUNNER_TOKEN: 't' };
      const { code, stderr } = await runRunfeed(['pipe', '--', 'true'], env);
      expect({ text, code, stderr }).toEqual({
        text,
        code: 79,
        stderr: 'runfeed: the claim was refused (UNAUTHENTICATED): no\n',
      });
    }
  });
});

describe('an answer without an end', () => {
  /** More than is read of an answer, with what fits into the buffers on the way. */
  const MOST_SENT = 128 * 1024 * 1024;
  const PIECE = Buffer.alloc(256 * 1024, 'a');

  /** Answers with this text and an endless rest. Counts what the client's system has taken. */
  function endless(begin: string, type = 'application/json') {
    let sent = 0;
    const answer: RequestListener = (_request, response) => {
      response.on('error', () => {});
      response.writeHead(200, { 'content-type': type }).write(begin);
      const send = (): void => {
        while (!response.destroyed && sent < 2 * MOST_SENT) {
          sent += PIECE.length;
          if (!response.write(PIECE)) {
            response.once('drain', send);
            return;
          }
        }
      };
      send();
    };
    return { answer, sent: () => sent };
  }

  test.each(COMMANDS)('is read up to a limit by %s %s, which names it', async (...args) => {
    const { answer, sent } = endless('{"data":{"x":"');
    const url = await startForeign(answer);
    const { code, stdout, stderr } = await runRunfeed(args.filter(Boolean), await envFor(url));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^runfeed: .*more than 64 MiB.*\n$/);
    expect(sent()).toBeLessThan(MOST_SENT);
  });

  test('is read up to a limit as an event of a stream', async () => {
    const { answer, sent } = endless('event: next\ndata: ', 'text/event-stream');
    const url = await startForeign(answer);
    const cut = new Promise<Error | null>((resolve) => {
      const events = streamEvents('r', { url, transport: 'sse', onState: (_state, cut) => resolve(cut) });
      releaseAfterwards(() => events.return());
      events.next().catch(() => {});
    });
    expect((await cut)?.message).toMatch(/more than 64 Mi characters/);
    expect(sent()).toBeLessThan(MOST_SENT);
  });

  test('is read up to a limit as a message of a websocket', async () => {
    const url = await startForeign(answering('{"data":{"run":{"id":"r"}}}'), (socket) => {
      socket.on('error', () => {});
      socket.send('x'.repeat(64 * 1024 * 1024 + 1));
    });
    const tail = startRunfeed(['tail', 'r'], await envFor(url));
    await tail.told(/connection lost, reconnecting: .*payload size/i);
  });
});

describe('text from a server', () => {
  const HARMFUL = [
    '\u001b]52;c;Y3VybCBldmls\u0007',
    '\u001b[31m',
    '\u001b[2J',
    '\u009b2J',
    '\u009d52;c;eA==\u009c',
    '\u0080\u0085\u0090\u009f',
    '\u202a\u202b\u202c\u202d\u202e',
    '\u2066\u2067\u2068\u2069',
    '\rforged',
    '\u0000\b\u007f',
  ].join('');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to find
  const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
  const evil = (text: string): string => `${text}${HARMFUL}!`;

  const ended = { endedAt: 'then', exitCode: 1, run: { ended: true } };
  const job = { status: evil('gone'), terminalErrorClass: evil('class'), ...ended };
  const run = { id: evil('run'), provider: evil('openai'), title: evil('title'), createdAt: '2026-01-01' };
  const rest = { endedAt: null, eventCount: 1, terminal: null, job: { status: evil('status') } };
  const data = {
    runs: { nodes: [{ ...run, ...rest }] },
    run: { id: 'r' },
    job: { ...job, terminalErrorMessage: evil('message'), logs: `one\n\ttwo${HARMFUL}!\n` },
    stopJob: { job: { ...job, terminalErrorMessage: evil('message') } },
  };

  test.each([
    [['runs'], /run.*status.*openai.*title/],
    [['runs', '--json'], /"title"/],
    [['stop', 'r'], /^gone.*class.*message/],
    [['logs', 'r'], /^one\n\ttwo/],
  ])('is printed by %j without control characters', async (args, pattern) => {
    const url = await startForeign(answering(JSON.stringify({ data })));
    const { code, stdout, stderr } = await runRunfeed(args, await envFor(url));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(pattern);
    expect(stdout).not.toMatch(CONTROLS);
  });

  test('is printed by runs --json as escapes that mean the same', async () => {
    const url = await startForeign(answering(JSON.stringify({ data })));
    const { stdout } = await runRunfeed(['runs', '--json'], await envFor(url));
    expect(JSON.parse(stdout)).toMatchObject(run);
  });

  test.each([[['tail', 'r']], [['tail', 'r', '--json']]])(
    'is printed by %j without control characters',
    async (args) => {
      const url = await startForeign(answering(JSON.stringify({ data })), (socket) => {
        const send = (message: object) => socket.send(JSON.stringify(message));
        socket.on('message', (bytes) => {
          const { type, id } = JSON.parse(String(bytes));
          if (type === 'connection_init') send({ type: 'connection_ack' });
          if (type !== 'subscribe') return;
          const event = (seq: number, kind: string, data: object) => ({ seq, tMs: seq, kind, data });
          const events = [
            event(0, 'assistant_text', { text: evil('said') }),
            event(1, 'tool_request', { toolId: 't', name: evil('tool'), input: { a: evil('b'), c: 1 } }),
            event(2, evil('unknown'), {}),
            event(3, 'stream_error', { message: evil('trouble') }),
            event(4, 'runtime_terminal', { outcome: evil('over'), reason: evil('why') }),
          ];
          const batch = { events, cursor: 4, caughtUp: true, ended: true, gap: null };
          send({ type: 'next', id, payload: { data: { runEventBatches: batch } } });
        });
      });
      const { code, stdout, stderr } = await runRunfeed(args, await envFor(url));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/said.*tool.*trouble.*over/s);
      expect(stdout).not.toMatch(CONTROLS);
    },
  );

  test.each(COMMANDS)('is printed by %s %s in errors without control characters', async (...args) => {
    const url = await startForeign(answering(JSON.stringify({ errors: [{ message: evil('no') }] })));
    const { code, stdout, stderr } = await runRunfeed(args.filter(Boolean), await envFor(url));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^runfeed: no.*!\n$/);
    expect(stderr).not.toMatch(CONTROLS);
  });
});
