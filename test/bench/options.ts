import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface Options {
  /** Short rounds, fewer events and fewer runs. */
  readonly quick: boolean;
  /** Print one line of JSON instead of the table. */
  readonly json: boolean;
  /** A Postgres server to measure on instead of SQLite; databases are made there and dropped. */
  readonly postgresUrl: string | undefined;
  /** Only rows whose title has this in it. */
  readonly only: string;
}

export const USAGE = `npm run bench -- [--quick] [--json] [--only TEXT] [--postgres URL]

  --quick           shorter rounds, fewer events: a minute and a half at most instead of eight
  --json            one line of JSON: {"goals": [{"name", "value", "bar", "met"}], "rows": […]}
  --only TEXT       only the rows whose title contains TEXT
  --postgres URL    on a Postgres server instead of SQLite, in databases that are made there and dropped
`;

/** Reads the arguments; null: they ask for help. Throws on what it does not know. */
export function readOptions(argv: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      postgres: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const { quick, json, only, postgres } = values;
  return { quick, json, only, postgresUrl: postgres };
}
