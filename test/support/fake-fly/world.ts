import type { FakeMachine } from './machine.ts';

/** An app as the fake keeps it. */
export interface FakeApp {
  readonly name: string;
  readonly org: string;
  readonly network: string | null;
  /** Looks for which it is not there yet. */
  lag: number;
}

/** Everything that there is at the fake. Tests may change all of it. */
export interface World {
  readonly org: string;
  token: string;
  readonly apps: Map<string, FakeApp>;
  /** Destroyed ones stay: they still answer to their ids. */
  readonly machines: FakeMachine[];
  /** Regions in which nothing more fits. */
  readonly fullRegions: Set<string>;
  /** Lists and only they do not show a machine for so many lists after it was made. */
  listLag: number;
  /** A look at an app that was just made finds nothing for so many times. */
  appLag: number;
  /** Lists that show nothing, whatever there is. */
  emptyLists: number;
  /** How a machine gets from `created` to `started`: a step with each look at it, or only by `advance`. */
  progress: 'by looks' | 'by hand';
  /** Which of the two places an exit is told in. */
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
