import { parseArgs } from 'node:util';

/** The options of the command line. */
export interface Options {
  /** Short rounds, fewer events and fewer runs. */
  readonly quick: boolean;
  /** Print one line of JSON instead of the table. */
  readonly json: boolean;
  /**
   * A Postgres server to measure on instead of SQLite. The benchmark creates databases there and drops them.
   */
  readonly postgresUrl: string | undefined;
  /** Only rows whose title contains this text. */
  readonly only: string;
}

export const USAGE = `npm run bench -- [--quick] [--json] [--only TEXT] [--postgres URL]

  --quick           shorter rounds, fewer events: at most a minute and a half instead of eight minutes
  --json            print one line of JSON: {"goals": [{"name", "value", "bar", "met"}], "rows": […]}
  --only TEXT       measure only rows whose title contains TEXT
  --postgres URL    measure on a Postgres server instead of SQLite, in temporary databases
`;

/** Parses the arguments. Returns null for `--help`. Throws on unknown arguments. */
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
