import type { FakeMachine } from './machine.ts';

/** An app in the fake. */
export interface FakeApp {
  readonly name: string;
  readonly org: string;
  readonly network: string | null;
  /** The number of further look-ups that do not find the app. */
  lag: number;
}

/** The state of the fake. Tests may change all of it. */
export interface World {
  readonly org: string;
  token: string;
  readonly apps: Map<string, FakeApp>;
  /** All machines. Destroyed ones stay and can still be looked up by id. */
  readonly machines: FakeMachine[];
  /** Regions without capacity. */
  readonly fullRegions: Set<string>;
  /** The number of lists that do not show a new machine. Other look-ups find it. */
  listLag: number;
  /** The number of look-ups that do not find a new app. */
  appLag: number;
  /** The number of further lists that are empty. */
  emptyLists: number;
  /** How a machine gets from `created` to `started`: one step per look-up, or only through `advance`. */
  progress: 'by looks' | 'by hand';
  /** Which of the two places reports an exit. */
  exitShape: 'exit_event' | 'MonitorEvent';
}

export function createWorld(org: string, token: string): World {
  return {
    org,
    token,
    apps: new Map(),
    machines: [],
    fullRegions: new Set(),
    listLag: 0,
    appLag: 0,
    emptyLists: 0,
    progress: 'by looks',
    exitShape: 'exit_event',
  };
}
