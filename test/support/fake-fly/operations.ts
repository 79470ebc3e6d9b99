/** The operations of the fake. */
export type Operation =
  | 'listApps'
  | 'createApp'
  | 'getApp'
  | 'listMachines'
  | 'createMachine'
  | 'getMachine'
  | 'stopMachine'
  | 'destroyMachine'
  | 'logs'
  | 'metrics';

interface Route {
  readonly operation: Operation;
  readonly method: string;
  readonly path: RegExp;
}

const ROUTES: readonly Route[] = [
  { operation: 'listApps', method: 'GET', path: /^\/v1\/apps$/ },
  { operation: 'createApp', method: 'POST', path: /^\/v1\/apps$/ },
  { operation: 'getApp', method: 'GET', path: /^\/v1\/apps\/([^/]+)$/ },
  { operation: 'listMachines', method: 'GET', path: /^\/v1\/apps\/([^/]+)\/machines$/ },
  { operation: 'createMachine', method: 'POST', path: /^\/v1\/apps\/([^/]+)\/machines$/ },
  { operation: 'getMachine', method: 'GET', path: /^\/v1\/apps\/([^/]+)\/machines\/([^/]+)$/ },
  { operation: 'stopMachine', method: 'POST', path: /^\/v1\/apps\/([^/]+)\/machines\/([^/]+)\/stop$/ },
  { operation: 'destroyMachine', method: 'DELETE', path: /^\/v1\/apps\/([^/]+)\/machines\/([^/]+)$/ },
  { operation: 'logs', method: 'GET', path: /^\/logs\/apps\/([^/]+)\/logs$/ },
  { operation: 'metrics', method: 'GET', path: /^\/metrics\/([^/]+)\/api\/v1\/query$/ },
];

/** A request received by the fake. */
export interface FakeRequest {
  /** Null for an unknown operation. */
  readonly operation: Operation | null;
  readonly method: string;
  readonly url: URL;
  readonly headers: NodeJS.Dict<string | string[]>;
  /** The parsed JSON body. Undefined if there is none. */
  readonly body: unknown;
  /** The parts of the path: an app or organization, and a machine. */
  readonly app: string;
  readonly machine: string;
  /** Milliseconds on a monotonic clock. */
  readonly at: number;
}

/** Returns the operation of a request and the parts of its path. */
export function routed(method: string, url: URL): Pick<FakeRequest, 'operation' | 'app' | 'machine'> {
  for (const route of ROUTES) {
    const match = route.method === method ? route.path.exec(url.pathname) : null;
    if (match) {
      const [, app = '', machine = ''] = match.map((part) => decodeURIComponent(part));
      return { operation: route.operation, app, machine };
    }
  }
  return { operation: null, app: '', machine: '' };
}
