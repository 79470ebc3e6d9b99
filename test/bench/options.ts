import { parseArgs } from 'node:util';
import type { Pace } from './rounds.ts';

/** What the command line asks for. */
export interface Options {
  readonly pace: Pace;
  /** A Postgres server to measure on instead of SQLite; a database is made there and dropped. */
  readonly postgresUrl: string | undefined;
  /** Only rows whose title has this in it. */
  readonly only: string;
}

export const USAGE = `npm run bench -- [--quick] [--only TEXT] [--postgres URL]

  --quick           shorter rounds: half a minute instead of three
  --only TEXT       only the rows whose title contains TEXT
  --postgres URL    on a Postgres server instead of SQLite, in a database that is made there and dropped
`;

const PACE: Pace = { rounds: 3, roundMs: 1_700 };
const QUICK_PACE: Pace = { rounds: 3, roundMs: 170 };

/** Reads the arguments; null: they ask for help. Throws on what it does not know. */
export function readOptions(argv: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      postgres: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  return { pace: values.quick ? QUICK_PACE : PACE, postgresUrl: values.postgres, only: values.only };
}
