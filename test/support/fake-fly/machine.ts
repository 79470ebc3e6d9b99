import { randomBytes } from 'node:crypto';

/** The part of a create request that the fake reads. */
export interface MachineConfig {
  readonly image: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface ExitDetails {
  readonly exit_code?: number;
  readonly signal?: number;
  readonly guest_signal?: number;
  readonly oom_killed?: boolean;
  readonly requested_stop?: boolean;
  readonly restarting?: boolean;
  readonly error?: string;
}

export interface FakeEvent {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly source: string;
  readonly timestamp: number;
  readonly request?: unknown;
}

/** A program that runs in a machine. */
export interface Guest {
  /** Resolves to the exit code. */
  readonly exited: Promise<number>;
  /** Handles SIGTERM. If absent, the program ignores it. */
  terminate?(): void;
  kill?(): void;
}

/** A machine in the fake. */
export interface FakeMachine {
  readonly id: string;
  readonly app: string;
  name: string;
  region: string;
  state: string;
  config: MachineConfig;
  readonly createdAt: string;
  /** Newest first. */
  events: FakeEvent[];
  hostStatus: 'ok' | 'unknown' | 'unreachable';
  ignoresSigterm: boolean;
  lag: number;
  guest: Guest | null;
  killTimer: NodeJS.Timeout | null;
}

let lastTimestamp = 0;

/** Returns a number that rises with every call, to order events. */
function timestamp(): number {
  lastTimestamp = Math.max(lastTimestamp + 1, Date.now());
  return lastTimestamp;
}

export function makeMachine(
  app: string,
  name: string,
  region: string,
  config: MachineConfig,
  lag: number,
): FakeMachine {
  const machine: FakeMachine = {
    id: randomBytes(7).toString('hex'),
    app,
    name,
    region,
    state: 'created',
    config,
    createdAt: new Date().toISOString(),
    events: [],
    hostStatus: 'ok',
    ignoresSigterm: false,
    lag,
    guest: null,
    killTimer: null,
  };
  addEvent(machine, 'launch', 'created', 'user');
  return machine;
}

export function addEvent(
  machine: FakeMachine,
  type: string,
  status: string,
  source = 'flyd',
  request?: unknown,
): void {
  const id = randomBytes(13).toString('hex').toUpperCase();
  machine.events.unshift({
    id,
    type,
    status,
    source,
    timestamp: timestamp(),
    ...(request !== undefined && { request }),
  });
}

/** Returns a machine as the API shows it. */
export function shown(machine: FakeMachine): object {
  const { id, name, state, region, config, createdAt, events, hostStatus } = machine;
  const digest = config.image.split('@')[1];
  return {
    id,
    name,
    state,
    region,
    instance_id: `01${id.toUpperCase()}`,
    private_ip: 'fdaa:0:18:a7b:196:e274:9ce1:2',
    // For an unreachable host, only what is stored elsewhere is available.
    ...(hostStatus === 'ok'
      ? { config, incomplete_config: null }
      : { incomplete_config: { metadata: config.metadata } }),
    image_ref: { registry: 'docker-hub-mirror.fly.io', repository: config.image.split('@')[0], digest },
    created_at: createdAt,
    updated_at: createdAt,
    events,
    host_status: hostStatus,
  };
}

/** Returns the request of an exit event, in either of the two places and time formats. */
export function exitRequest(shape: 'exit_event' | 'MonitorEvent', details: ExitDetails): object {
  const exit = {
    requested_stop: false,
    restarting: false,
    guest_exit_code: 0,
    guest_signal: -1,
    guest_error: '',
    signal: -1,
    error: '',
    oom_killed: false,
    ...details,
  };
  return shape === 'exit_event'
    ? { exit_event: { ...exit, exited_at: new Date().toISOString() }, restart_count: 0 }
    : { MonitorEvent: { exit_event: { ...exit, exited_at: Date.now() } }, restart_count: 0 };
}
