import { LRUCache } from 'lru-cache';
import { SubstrateError } from '../errors.ts';
import type { Call } from '../fly-api/calls.ts';
import type { FlyClient } from '../fly-api/client.ts';
import type { FlyConfig, FlyLimits } from '../fly-api/config.ts';
import { errorOf } from '../fly-api/faults.ts';
import { appNameOf } from '../fly-api/names.ts';
import { pauseAfter, paused, retrying } from '../fly-api/tries.ts';

/** The apps, one for each workspace: everything set in an app can be read by all of its machines. */
export interface FlyApps {
  /** Returns the name of a workspace's app, whether or not it exists. */
  nameOf(workspaceId: string): string;
  /** Returns the name of a workspace's app, and creates the app if it does not exist. */
  ensure(workspaceId: string, call: Call): Promise<string>;
  /** Returns the name of a workspace's app, or null if it does not exist. */
  find(workspaceId: string, call: Call): Promise<string | null>;
  /** Makes the next `ensure` check again. */
  forget(app: string): void;
}

const APPS_REMEMBERED = 10_000;

/** Creates the apps, and remembers which of them exist. */
export function createApps(client: FlyClient, config: FlyConfig, limits: FlyLimits): FlyApps {
  const known = new LRUCache<string, true>({ max: APPS_REMEMBERED });
  const beingEnsured = new Map<string, Promise<void>>();
  const nameOf = (workspaceId: string) => appNameOf(config.appPrefix, config.org, workspaceId);

  async function isThere(app: string, call: Call): Promise<boolean> {
    if (known.has(app)) return true;
    const result = await retrying(() => client.getApp(app, call), limits, call);
    if (!result.ok) {
      if (result.fault.kind === 'missing') return false;
      if (result.fault.status === 403) await expectGoodToken(app, call);
      throw errorOf(result.fault);
    }
    const owner = result.value.organization?.slug;
    if (owner !== undefined && owner !== config.org) throw notOurs(app, `organization "${owner}"`);
    known.set(app, true);
    return true;
  }

  /** Fly answers 403 for another organization's app, too: throws if the token itself is good. */
  async function expectGoodToken(app: string, call: Call): Promise<void> {
    const apps = await retrying(() => client.listApps(call), limits, call);
    if (apps.ok) throw notOurs(app, 'another organization');
  }

  /** Shared by concurrent starts in one workspace. */
  async function ensure(app: string, call: Call): Promise<void> {
    if (!(await isThere(app, call))) await make(app, call);
  }

  async function make(app: string, call: Call): Promise<void> {
    for (let tried = 1; ; tried += 1) {
      const made = await client.createApp(app, call);
      if (made.ok) return waitFor(app, call);
      const { fault } = made;
      // Another server created it, this request created it and lost its answer, or the request is wrong.
      if (['unclear', 'taken', 'invalid'].includes(fault.kind) && (await isThere(app, call))) return;
      const again = fault.kind === 'unclear' || fault.kind === 'throttled' || fault.kind === 'busy';
      const pause = again && tried < limits.tries ? pauseAfter(fault, tried, limits) : null;
      if (pause === null || !(await paused(pause, call))) throw errorOf(fault);
    }
  }

  /** A new app is not known everywhere at once, and may be refused until it is. */
  async function waitFor(app: string, call: Call): Promise<void> {
    for (let looks = 1; looks <= limits.tries; looks += 1) {
      const result = await client.getApp(app, call);
      if (result.ok) break;
      const pause = pauseAfter(result.fault, looks, limits);
      if (pause === null || !(await paused(pause, call))) break;
    }
    known.set(app, true);
  }

  return {
    nameOf,
    async ensure(workspaceId, call) {
      const app = nameOf(workspaceId);
      if (known.has(app)) return app;
      const ensuring = beingEnsured.get(app) ?? ensure(app, call).finally(() => beingEnsured.delete(app));
      beingEnsured.set(app, ensuring);
      await ensuring;
      return app;
    },
    async find(workspaceId, call) {
      const app = nameOf(workspaceId);
      return (await isThere(app, call)) ? app : null;
    },
    forget: (app) => {
      known.delete(app);
    },
  };
}

function notOurs(app: string, owner: string): SubstrateError {
  const message = `the app name "${app}" is taken by ${owner}: configure another appPrefix`;
  return new SubstrateError({ errorClass: 'config_invalid', message });
}
