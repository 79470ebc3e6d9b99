import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answer, type FakeAnswer } from './answer.ts';
import { createFaults, type Faults, type Scripted } from './faults.ts';
import { createLife, type GuestOf, type Life } from './life.ts';
import type { FakeMachine } from './machine.ts';
import { openApiCheck } from './openapi.ts';
import { type FakeRequest, type Operation, routed } from './operations.ts';
import { createWorld, type World } from './world.ts';

/** A fake Fly on this machine, with those behaviors of the real one that clients stumble over. */
export interface FakeFly extends Pick<Faults, 'fail' | 'mend'>, Life {
  /** The URLs of the Machines API, the logs API and the metrics. */
  readonly urls: { readonly apiUrl: string; readonly logsUrl: string; readonly metricsUrl: string };
  readonly world: World;
  readonly requests: readonly FakeRequest[];
  /** Returns the received requests of one operation. */
  asked(operation: Operation): FakeRequest[];
  /** Requests that violate the API's documentation. */
  readonly violations: readonly string[];
  /** Returns the only machine ever created. Throws if there is not exactly one. */
  machine(): FakeMachine;
  close(): Promise<void>;
}

/** Starts a fake Fly on a free port. `guestOf` returns what runs in each starting machine. */
export async function startFakeFly({
  org = 'acme',
  token = 'fm2_secret-token-of-the-organization',
  guestOf = () => null,
}: {
  readonly org?: string;
  readonly token?: string;
  readonly guestOf?: GuestOf;
} = {}): Promise<FakeFly> {
  const world = createWorld(org, token);
  const life = createLife(world, guestOf);
  const faults = createFaults();
  const check = openApiCheck();
  const requests: FakeRequest[] = [];
  const violations: string[] = [];

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await read(incoming);
    requests.push(request);
    if (check) violations.push(...check(request));
    const fault = faults.take(request.operation);
    switch (fault?.kind) {
      case undefined:
        return write(response, answer(world, life, request), request);
      case 'answer':
        return write(response, scripted(fault.answer, request), request);
      case 'reset':
        incoming.socket.destroy();
        return;
      case 'done, then reset':
        answer(world, life, request);
        incoming.socket.destroy();
        return;
      case 'done, then answer':
        answer(world, life, request);
        return write(response, scripted(fault.answer, request), request);
      case 'done, then silence':
        answer(world, life, request);
        return;
    }
  }

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    ...life,
    fail: faults.fail,
    mend: faults.mend,
    urls: { apiUrl: `${origin}/v1`, logsUrl: `${origin}/logs`, metricsUrl: `${origin}/metrics` },
    world,
    requests,
    violations,
    asked: (operation) => requests.filter((request) => request.operation === operation),
    machine: () => {
      if (world.machines.length !== 1) throw new Error(`there are ${world.machines.length} machines`);
      return world.machines[0]!;
    },
    close: async () => {
      life.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function scripted(answer: Scripted, request: FakeRequest): FakeAnswer {
  return typeof answer === 'function' ? answer(request) : answer;
}

async function read(incoming: IncomingMessage): Promise<FakeRequest> {
  const at = performance.now();
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const url = new URL(incoming.url ?? '/', 'http://fake');
  const method = incoming.method ?? 'GET';
  const body: unknown = text === '' ? undefined : JSON.parse(text);
  return { ...routed(method, url), method, url, headers: incoming.headers, body, at };
}

function write(response: ServerResponse, { status, body, headers }: FakeAnswer, { app }: FakeRequest): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'fly-request-id': `01${randomUUID()}-ams`,
    ...(app && { 'set-cookie': `fly_flaps_affinity=host-of-${app}; Path=/v1/apps/${app}; Max-Age=60` }),
    ...headers,
  });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
