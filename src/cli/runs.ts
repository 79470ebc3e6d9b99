import { z } from 'zod';
import { ENDPOINT_OPTIONS, readEndpoint } from './endpoint.ts';
import { request } from './request.ts';
import { readArguments, wholeNumber } from './terminal/arguments.ts';
import { harmlessJson, preview } from './terminal/harmless.ts';
import { print } from './terminal/output.ts';
import { table } from './terminal/table.ts';
import { UsageError } from './terminal/usage-error.ts';

const OPTIONS = {
  ...ENDPOINT_OPTIONS,
  limit: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

const LIMIT = 20;
const MAX_LIMIT = 100;
const TITLE_WIDTH = 60;
/** Wider than a server's ids and names. */
const NAME_WIDTH = 256;

const RUNS = `query ($first: Int) {
  runs(first: $first) {
    nodes { id provider runtime title labels createdAt startedAt endedAt eventCount lastSeq terminal { data } job { status } }
  }
}`;

/** `--json` prints all fields of a run, including those that are not listed here. */
const listedRun = z.looseObject({
  id: z.string(),
  provider: z.string(),
  title: z.string().nullable(),
  createdAt: z.string(),
  endedAt: z.string().nullable(),
  eventCount: z.number(),
  terminal: z.object({ data: z.looseObject({ outcome: z.unknown() }) }).nullable(),
  job: z.object({ status: z.string() }).nullable(),
});

type ListedRun = z.infer<typeof listedRun>;

const answer = z.object({ runs: z.object({ nodes: z.array(listedRun) }) });

/** `runfeed runs`: prints the newest runs, by default 20, one per line. Returns the exit code. */
export async function runs(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, OPTIONS, true);
  if (positionals.length > 0) throw new UsageError('runs takes no arguments');
  const first = wholeNumber('limit', values.limit, 1, MAX_LIMIT) ?? LIMIT;
  const { runs } = await request(await readEndpoint(values), answer, RUNS, { first });
  const { nodes } = runs;
  if (values.json) {
    await print(nodes.map((run) => `${harmlessJson(run)}\n`).join(''));
    return 0;
  }
  const now = Date.now();
  const rows = nodes.map((run) => [
    preview(run.id, NAME_WIDTH),
    preview(statusOf(run), TITLE_WIDTH),
    preview(run.provider, NAME_WIDTH),
    String(run.eventCount),
    age(now - Date.parse(run.createdAt)),
    preview(run.title ?? '', TITLE_WIDTH),
  ]);
  await print(table(['RUN', 'STATUS', 'PROVIDER', 'EVENTS', 'AGE', 'TITLE'], rows));
  return 0;
}

/** The outcome of an ended run, else the status of its job, else `live` or `new`. */
function statusOf({ endedAt, terminal, job, eventCount }: ListedRun): string {
  const outcome = terminal?.data.outcome;
  if (endedAt !== null) return typeof outcome === 'string' ? outcome : 'ended';
  return job?.status ?? (eventCount > 0 ? 'live' : 'new');
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
] as const;

function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ['s', 1];
  return `${Math.floor(seconds / size)}${unit}`;
}
