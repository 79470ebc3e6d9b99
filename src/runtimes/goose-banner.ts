import type { JsonObject } from '../contract/events.ts';
import { fieldsOf } from './json.ts';

const MAX_BANNER_LINE = 1000;

/** What the banner, printed unless Goose runs with `-q`, tells about the session; the only place where it is told. */
export interface Banner {
  overhear(line: string): void;
  facts(): JsonObject;
}

/** A banner of which no line has come yet. */
export function createBanner(): Banner {
  let provider: string | undefined;
  let model: string | undefined;
  let sessionId: string | undefined;
  let directory: string | undefined;
  return {
    overhear(line) {
      if (line.length > MAX_BANNER_LINE) return;
      const session = /● [^·]*session · (\S+) (\S.*)$/.exec(line);
      if (session !== null) [, provider, model] = session;
      const place = /^\s*\\_+\)\s+(\S+) · (\S.*)$/.exec(line);
      if (place !== null) [, sessionId, directory] = place;
    },
    facts: () => fieldsOf({ provider, model, sessionId, directory }),
  };
}
