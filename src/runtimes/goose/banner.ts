import type { JsonObject } from '../../contract/events.ts';
import { fieldsOf } from '../json.ts';

const MAX_BANNER_LINE = 1000;

/** The session's facts from the banner, their only source. Goose omits the banner with `-q`. */
export interface Banner {
  overhear(line: string): void;
  facts(): JsonObject;
}

/** Creates a banner that has read no lines. */
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
