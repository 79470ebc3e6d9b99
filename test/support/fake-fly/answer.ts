import type { Life } from './life.ts';
import { addEvent, type FakeMachine, type MachineConfig, makeMachine, shown } from './machine.ts';
import type { FakeRequest } from './operations.ts';
import type { World } from './world.ts';

/** An HTTP answer. */
export interface FakeAnswer {
  readonly status: number;
  /** A string is sent unchanged. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const ok = (body: unknown): FakeAnswer => ({ status: 200, body });
const refused = (status: number, error: string, code?: string): FakeAnswer => ({
  status,
  body: { error, ...(code !== undefined && { status: code }) },
});

/** Executes and answers a request like the real API. */
export function answer(world: World, life: Life, request: FakeRequest): FakeAnswer {
  const authorization = String(request.headers.authorization ?? '');
  if (authorization.replace(/^(Bearer|FlyV1) /, '') !== world.token) {
    return refused(401, 'Authenticate: token validation error');
  }
  switch (request.operation) {
    case 'listApps':
      return ok({ apps: [...world.apps.values()].filter(({ org }) => org === world.org).map(shownApp) });
    case 'createApp':
      return createApp(world, bodyOf(request));
    case 'getApp':
      return withApp(world, request.app, true, () => ok(shownApp(world.apps.get(request.app)!)));
    case 'listMachines':
      return withApp(world, request.app, false, () => ok(listed(world, request)));
    case 'createMachine':
      return withApp(world, request.app, false, () => createMachine(world, request.app, bodyOf(request)));
    case 'getMachine':
      return withMachine(world, request, (machine) => {
        if (world.progress === 'by looks') life.advance(machine);
        return ok(shown(machine));
      });
    case 'stopMachine':
      return withMachine(world, request, (machine) => stopMachine(life, machine, bodyOf(request)));
    case 'destroyMachine':
      return withMachine(world, request, (machine) => {
        if (machine.state === 'started' && request.url.searchParams.get('force') !== 'true') {
          return refused(412, 'failed_precondition: unable to destroy machine, not currently stopped');
        }
        life.destroy(machine);
        return ok({ ok: true });
      });
    case 'logs':
    case 'metrics':
    case null:
      return refused(404, 'not found');
  }
}

function bodyOf({ body }: FakeRequest): Readonly<Record<string, unknown>> {
  return typeof body === 'object' && body !== null ? { ...body } : {};
}

function shownApp({ name, org }: { readonly name: string; readonly org: string }): object {
  return { id: name, name, machine_count: 0, organization: { name: org, slug: org }, status: 'deployed' };
}

function createApp(world: World, body: Readonly<Record<string, unknown>>): FakeAnswer {
  const { name, org_slug, network } = body;
  if (typeof name !== 'string' || !/^[a-z0-9-]{1,62}$/.test(name)) {
    return refused(422, 'Validation failed: Name under 63 chars using numbers, lowercase letters and dashes');
  }
  if (org_slug !== world.org) return refused(403, 'not authorized to create apps there');
  if (world.apps.has(name))
    return refused(422, 'Validation failed: Name has already been taken', 'name_taken');
  const app = { name, org: world.org, network: typeof network === 'string' ? network : null };
  world.apps.set(name, { ...app, lag: world.appLag });
  return { status: 201, body: {} };
}

function withApp(world: World, name: string, ofApp: boolean, found: () => FakeAnswer): FakeAnswer {
  const app = world.apps.get(name);
  if (!app || (ofApp && app.lag-- > 0)) return refused(404, `app "${name}" not found`);
  return app.org === world.org ? found() : refused(403, 'not authorized to access this app');
}

function withMachine(
  world: World,
  { app, machine: id }: FakeRequest,
  found: (machine: FakeMachine) => FakeAnswer,
): FakeAnswer {
  return withApp(world, app, false, () => {
    const machine = world.machines.find((each) => each.app === app && each.id === id);
    return machine ? found(machine) : refused(404, `machine not found`);
  });
}

function createMachine(world: World, app: string, body: Readonly<Record<string, unknown>>): FakeAnswer {
  const { name, region, config } = body;
  if (typeof name !== 'string' || !/^[a-z0-9-]{1,63}$/.test(name))
    return refused(422, 'invalid machine name');
  if (!isConfig(config)) return refused(422, 'invalid config: image is required');
  const holder = world.machines.find(
    (each) => each.app === app && each.name === name && each.state !== 'destroyed',
  );
  if (holder) {
    const violation = `unique machine name violation, machine ID ${holder.id} already exists with name "${name}"`;
    return refused(409, `already_exists: ${violation}`);
  }
  const where = typeof region === 'string' ? region : 'iad';
  if (world.fullRegions.has(where)) {
    return refused(422, 'could not find a candidate host', 'insufficient_capacity');
  }
  const machine = makeMachine(app, name, where, config, world.listLag);
  world.machines.push(machine);
  return ok(shown(machine));
}

function isConfig(config: unknown): config is MachineConfig {
  return (
    typeof config === 'object' && config !== null && 'image' in config && typeof config.image === 'string'
  );
}

function listed(world: World, { app, url }: FakeRequest): object[] {
  const deleted = url.searchParams.get('include_deleted') === 'true';
  const filters = [...url.searchParams].filter(([name]) => name.startsWith('metadata.'));
  if (world.emptyLists > 0) {
    world.emptyLists -= 1;
    return [];
  }
  return world.machines
    .filter((machine) => machine.app === app && (deleted || machine.state !== 'destroyed'))
    .filter((machine) => machine.lag-- <= 0)
    .filter(({ config }) =>
      filters.every(([name, value]) => config.metadata?.[name.slice('metadata.'.length)] === value),
    )
    .map(shown);
}

function stopMachine(life: Life, machine: FakeMachine, body: Readonly<Record<string, unknown>>): FakeAnswer {
  const timeout = goDuration(body.timeout);
  if (timeout === null) return refused(400, `time: invalid duration ${JSON.stringify(body.timeout)}`);
  if (machine.state === 'started') addEvent(machine, 'stop', 'stopping', 'user');
  // The default signal is SIGINT, which runners need not handle.
  if (body.signal === 'SIGTERM') life.stop(machine, timeout);
  return ok({ ok: true });
}

/** Returns milliseconds, or null for a text that Go would not parse. */
function goDuration(text: unknown): number | null {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(String(text)) ?? [];
  if (number === undefined) return null;
  return Number(number) * (unit === 'ms' ? 1 : unit === 's' ? 1_000 : 60_000);
}
