/** A command of `runfeed`: how it is called, what it is for, and its code, which is read only when it runs. */
export interface Command {
  readonly name: string;
  /** What follows the name. */
  readonly usage: string;
  readonly summary: string;
  /** An option and what it means, a row each. */
  readonly options: readonly (readonly [option: string, meaning: string])[];
  /** Lines below the options. */
  readonly notes?: string;
  /** Runs it with the arguments after its name; the result is the process's exit code. */
  run(argv: readonly string[]): Promise<number>;
}

const ENDPOINT = [
  ['--url URL', 'the server, with or without /graphql; or RUNFEED_URL (http://127.0.0.1:4000)'],
  ['--token TOKEN', 'who asks; or RUNFEED_TOKEN (on this machine the admin token is found in its file)'],
] as const;

const SERVER_VARIABLES = `It reads PORT (4000), HOST (127.0.0.1), DATABASE_URL (file:./data/runfeed.db), REDIS_URL, PUBLIC_URL,
ADMIN_TOKEN_FILE, RETENTION_DAYS, MAX_RUN_EVENTS, MAX_RUN_BYTES, RUNNERS_FILE, SECRET_KEYS, JOBS_USER, JOBS_FOLDER,
ORPHAN_SWEEP (remove), ANTHROPIC_API_KEY and others for native runs, and
LOG_LEVEL (info) from the environment: docs/configuration.md describes them all.`;

/** The commands in the order in which a newcomer needs them. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'demo',
    usage: '[--file FILE] [--exit] [--stop-after N]',
    summary: 'start a job on a server of its own, and print its run as it arrives',
    options: [
      ['--file FILE', "a file with Goose's stream-json instead of the built-in one; - reads standard input"],
      ['--exit', 'exit when the run has ended'],
      ['--stop-after N', 'stop the job after N seconds'],
    ],
    run: async (argv) => (await import('./demo.ts')).demo(argv),
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
    summary: 'run an agent and report its run; without -- read what an agent prints',
    options: [
      ['--run RUN', "the run's id; by default the server makes one"],
      ['--runtime NAME', 'the format of the output; by default the command or its first lines show it'],
      ['--provider NAME', 'the provider of a new run; by default the runtime decides'],
      ['--title TEXT', 'the title of a new run'],
      ['--spool DIR', 'where undelivered events wait; by default a folder for temporary files'],
      ['--spool-mib N', 'how many MiB may wait before the command is held back (64)'],
      ['--flush-timeout N', 'seconds to deliver the rest at the end (60)'],
      ...ENDPOINT,
    ],
    run: async (argv) => (await import('./pipe.ts')).pipe(argv),
  },
  {
    name: 'tail',
    usage: 'RUN [--after N] [--json] [--no-color]',
    summary: 'print a run as it goes',
    options: [
      ['--after N', 'start after event N'],
      ['--json', 'print each event as a line of JSON'],
      ['--no-color', 'no colours; or NO_COLOR'],
      ...ENDPOINT,
    ],
    run: async (argv) => (await import('./tail.ts')).tail(argv),
  },
  {
    name: 'runs',
    usage: '[--limit N] [--json]',
    summary: 'list the newest runs',
    options: [['--limit N', 'how many (20)'], ['--json', 'print each run as a line of JSON'], ...ENDPOINT],
    run: async (argv) => (await import('./runs.ts')).runs(argv),
  },
  {
    name: 'stop',
    usage: 'RUN [--grace MS] [--no-wait]',
    summary: "stop a run's job",
    options: [
      ['--grace MS', 'how long the job may take before it is killed'],
      ['--no-wait', 'do not wait for its end'],
      ...ENDPOINT,
    ],
    run: async (argv) => (await import('./stop.ts')).stop(argv),
  },
  {
    name: 'logs',
    usage: 'RUN [--lines N]',
    summary: "print what a run's job printed",
    options: [['--lines N', 'the newest N lines (100)'], ...ENDPOINT],
    run: async (argv) => (await import('./logs.ts')).logs(argv),
  },
];

/** Whether help was asked for among a command's own arguments: those after `--` belong to another command. */
export function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).some((argument) => ['--help', '-h'].includes(argument));
}

/** What `runfeed --help` prints. */
export function overview(version: string): string {
  const rows = COMMANDS.map(({ name, usage, summary }) => [`${name} ${usage}`.trim(), summary] as const);
  return `runfeed ${version}: the server between AI agent runs and the people who watch them

${aligned('runfeed ', [...rows, ['COMMAND --help', 'show the options of a command'], ['--version', 'print the version']])}
`;
}

/** What `runfeed COMMAND --help` prints. */
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
