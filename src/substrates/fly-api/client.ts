import { z } from 'zod';
import type { Guest } from '../fly/guest.ts';
import type { Call } from './calls.ts';
import type { FlyConfig, FlyLimits } from './config.ts';
import { type Fault, faultOf } from './faults.ts';
import type { Request, Send } from './http.ts';
import { appSchema, appsSchema, type Machine, machineSchema, machinesSchema } from './machine.ts';
import { createRates, type Rate } from './rates.ts';

/** The value of a successful answer, or why there is none. */
export type Result<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly fault: Fault };

/** The request to create a machine. */
export interface MachineRequest {
  readonly name: string;
  readonly region: string;
  readonly config: {
    readonly image: string;
    readonly env: Readonly<Record<string, string>>;
    readonly metadata: Readonly<Record<string, string>>;
    readonly restart: { readonly policy: 'no' };
    readonly auto_destroy: false;
    readonly stop_config: { readonly signal: 'SIGTERM'; readonly timeout: string };
    readonly dns: { readonly skip_registration: true };
    readonly guest?: Guest;
  };
}

/** The part of the Machines API that jobs need. Each function sends one request, within Fly's rate limits. */
export interface FlyClient {
  getApp(app: string, call: Call): Promise<Result<z.infer<typeof appSchema>>>;
  listApps(call: Call): Promise<Result<z.infer<typeof appsSchema>>>;
  createApp(app: string, call: Call): Promise<Result<unknown>>;
  createMachine(app: string, machine: MachineRequest, call: Call): Promise<Result<Machine>>;
  getMachine(app: string, id: string, call: Call): Promise<Result<Machine>>;
  /** Lists the machines with this metadata. */
  listMachines(
    app: string,
    filter: { readonly metadata: readonly [name: string, value: string]; readonly deleted: boolean },
    call: Call,
  ): Promise<Result<Machine[]>>;
  stopMachine(
    app: string,
    id: string,
    stop: { readonly signal: 'SIGTERM'; readonly timeout: string },
    call: Call,
  ): Promise<Result<unknown>>;
  destroyMachine(app: string, id: string, call: Call): Promise<Result<unknown>>;
}

const BURST = 3;
const GET_BURST = 10;
const GETS_PER_INTERVAL = 5;

/** Creates a client for the configured organization. */
export function createFlyClient(send: Send, config: FlyConfig, limits: FlyLimits): FlyClient {
  const base = config.apiUrl.replace(/\/$/, '');
  const rates = createRates();
  const usual: Rate = { intervalMs: limits.rateMs, burst: BURST };
  const forGets: Rate = { intervalMs: limits.rateMs / GETS_PER_INTERVAL, burst: GET_BURST };

  async function ask<Value>(
    action: string,
    request: Pick<Request, 'method' | 'body' | 'app'> & { readonly path: string },
    read: z.ZodType<Value>,
    call: Call,
    rate: Rate = usual,
  ): Promise<Result<Value>> {
    // Fly counts by action and object, and the query is not part of the object.
    const key = `${action} ${request.path.split('?', 1)[0]}`;
    try {
      const tooLong = await rates.turn(key, rate, limits.maxPauseMs, call.signal);
      if (tooLong !== null)
        return unsent(`too many requests to "${action}" are already waiting`, Math.ceil(tooLong));
    } catch {
      return unsent(`the call ended before "${action}" could be sent`, null);
    }
    const answer = await send({ ...request, url: new URL(base + request.path) }, call.signal);
    if (answer.kind === 'answered' && answer.status >= 200 && answer.status < 300) {
      const value = read.safeParse(answer.body);
      if (value.success) return { ok: true, value: value.data };
    }
    return { ok: false, fault: faultOf(action, answer, call.redact) };
  }

  return {
    getApp: (app, call) => ask('get app', { method: 'GET', path: appPath(app), app }, appSchema, call),
    listApps: (call) =>
      ask('list apps', { method: 'GET', path: `/apps?${query({ org_slug: config.org })}` }, appsSchema, call),
    createApp: (app, call) => {
      // Each app has its own network, so that workspaces cannot reach one another.
      const body = { name: app, org_slug: config.org, network: app };
      return ask('create app', { method: 'POST', path: '/apps', body }, z.unknown(), call);
    },
    createMachine: (app, machine, call) => {
      const request = { method: 'POST', path: `${appPath(app)}/machines`, body: machine, app } as const;
      return ask('create machine', request, machineSchema, call);
    },
    getMachine: (app, id, call) => {
      const request = { method: 'GET', path: machinePath(app, id), app } as const;
      return ask('get machine', request, machineSchema, call, forGets);
    },
    listMachines: (app, { metadata: [name, value], deleted }, call) => {
      const filter = query({ include_deleted: String(deleted), [`metadata.${name}`]: value });
      const request = { method: 'GET', path: `${appPath(app)}/machines?${filter}`, app } as const;
      return ask('list machines', request, machinesSchema, call);
    },
    stopMachine: (app, id, body, call) => {
      const request = { method: 'POST', path: `${machinePath(app, id)}/stop`, body, app } as const;
      return ask('stop machine', request, z.unknown(), call);
    },
    destroyMachine: (app, id, call) => {
      const request = { method: 'DELETE', path: `${machinePath(app, id)}?force=true`, app } as const;
      return ask('destroy machine', request, z.unknown(), call);
    },
  };
}

function unsent(message: string, retryAfterMs: number | null): Result<never> {
  return { ok: false, fault: { kind: 'unsent', status: null, message, retryAfterMs, holder: null } };
}

function appPath(app: string): string {
  return `/apps/${encodeURIComponent(app)}`;
}

function machinePath(app: string, id: string): string {
  return `${appPath(app)}/machines/${encodeURIComponent(id)}`;
}

function query(parameters: Readonly<Record<string, string>>): string {
  return new URLSearchParams(parameters).toString();
}
