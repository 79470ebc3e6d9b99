/** A command of `runfeed`. Its code is imported only when it runs. */
export interface Command {
  readonly name: string;
  /** The arguments after the name. */
  readonly usage: string;
  readonly summary: string;
  /** One row per option, for `--help`. */
  readonly options: readonly (readonly [option: string, meaning: string])[];
  /** Text printed below the options. */
  readonly notes?: string;
  /** Runs the command with the arguments after its name. Returns the process's exit code. */
  run(argv: readonly string[]): Promise<number>;
}

const ENDPOINT = [
  ['--url URL', 'the server, with or without /graphql; or set RUNFEED_URL (http://127.0.0.1:4000)'],
  ['--token TOKEN', 'the access token; or set RUNFEED_TOKEN (for a local server: its admin token file)'],
] as const;

const SERVER_VARIABLES = `Environment variables: PORT (4000), HOST (127.0.0.1), DATABASE_URL (file:./data/runfeed.db), REDIS_URL,
PUBLIC_URL, ADMIN_TOKEN_FILE, RETENTION_DAYS, MAX_RUN_EVENTS, MAX_RUN_BYTES, RUNNERS_FILE, SECRET_KEYS,
JOBS_USER, JOBS_FOLDER, ORPHAN_SWEEP (remove), LOG_LEVEL (info), and ANTHROPIC_API_KEY and others for
native runs. docs/configuration.md describes all of them.`;

const RUNTIMES = `Agents recognized by their command, also behind npx: goose, claude, codex and gemini. All formats,
for --runtime: goose, goosed, claude-code, codex, gemini, anthropic-messages, anthropic-sessions.`;

/** All commands, in the order in which a new user needs them. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'demo',
    usage: '[--file FILE] [--exit] [--stop-after N]',
    summary: 'start a temporary server and a job, and print the run as it arrives',
    options: [
      ['--file FILE', 'play Goose stream-json from FILE instead of the built-in run; - is standard input'],
      ['--exit', 'exit when the run ends'],
      ['--stop-after N', 'stop the job after N seconds'],
    ],
    notes: 'Environment variables: PORT (by default a free port).',
    run: async (argv) => (await import('./demo/demo.ts')).demo(argv),
  },
  {
    name: 'serve',
    usage: '',
    summary: 'start the server',
    options: [],
    notes: SERVER_VARIABLES,
    run: async (argv) => (await import('./serve.ts')).serve(argv),
  },
  {
    name: 'pipe',
    usage: '[--run RUN] -- COMMAND …',
    summary: 'run an agent and report its run; without --, read its output from standard input',
    options: [
      ['--run RUN', 'the id of the run; by default the server generates one'],
      ['--runtime NAME', 'the output format; by default detected from the command or its first lines'],
      ['--provider NAME', 'the provider of a new run; by default that of the runtime'],
      ['--title TEXT', 'the title of a new run'],
      ['--spool DIR', 'the folder for undelivered events; by default in the temporary folder'],
      ['--spool-mib N', 'the most MiB of undelivered events; when full, the command is paused (64)'],
      ['--flush-timeout N', 'seconds to wait for delivery after the command ends (60)'],
      ...ENDPOINT,
    ],
    notes: RUNTIMES,
    run: async (argv) => (await import('./pipe.ts')).pipe(argv),
  },
  {
    name: 'tail',
    usage: 'RUN [--after N] [--json] [--no-color]',
    summary: 'print the events of a run as they arrive',
    options: [
      ['--after N', 'start after event N'],
      ['--json', 'print each event as a line of JSON'],
      ['--no-color', 'print without colors; or set NO_COLOR'],
      ...ENDPOINT,
    ],
    run: async (argv) => (await import('./tail.ts')).tail(argv),
  },
  {
    name: 'runs',
    usage: '[--limit N] [--json]',
    summary: 'list the newest runs',
    options: [
      ['--limit N', 'the number of runs (20)'],
      ['--json', 'print each run as a line of JSON'],
      ...ENDPOINT,
    ],
    run: async (argv) => (await import('./runs.ts')).runs(argv),
  },
  {
    name: 'stop',
    usage: 'RUN [--grace MS] [--no-wait]',
    summary: "stop a run's job",
    options: [
      ['--grace MS', 'milliseconds to wait before the job is killed'],
      ['--no-wait', 'do not wait until the job ends'],
      ...ENDPOINT,
    ],
    run: async (argv) => (await import('./stop.ts')).stop(argv),
  },
  {
    name: 'logs',
    usage: 'RUN [--lines N]',
    summary: "print the output of a run's job",
    options: [['--lines N', 'print the newest N lines (100)'], ...ENDPOINT],
    run: async (argv) => (await import('./logs.ts')).logs(argv),
  },
];

/** Returns true if the arguments before `--` request help. Those after `--` belong to another command. */
export function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).some((argument) => ['--help', '-h'].includes(argument));
}

/** The output of `runfeed --help`. */
export function overview(version: string): string {
  const rows = COMMANDS.map(({ name, usage, summary }) => [`${name} ${usage}`.trim(), summary] as const);
  return `runfeed ${version}: the server between AI agent runs and the people who watch them

${aligned('runfeed ', [...rows, ['COMMAND --help', 'show the options of a command'], ['--version', 'print the version']])}
`;
}

/** The output of `runfeed COMMAND --help`. */
export function helpOf({ name, usage, summary, options, notes }: Command): string {
  const parts = [
    `runfeed ${name} ${usage}`.trim(),
    `  ${summary}`,
    ...(options.length > 0 ? ['', aligned('', options)] : []),
    ...(notes ? ['', notes] : []),
  ];
  return `${parts.join('\n')}\n`;
}

function aligned(prefix: string, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${prefix}${left.padEnd(width)}   ${right}`).join('\n');
}
