import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { streamEvents } from '../../src/client/stream/events.ts';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { createGooseAdapter } from '../../src/runtimes/goose/goose.ts';
import { startRunfeed } from '../support/runfeed-process.ts';

// Recordings of real runs are not in the package: they are expected next to it, or in RUNFEED_CAPTURES.
const folder = join(
  process.env.RUNFEED_CAPTURES ?? fileURLToPath(new URL('../../../shared/captures', import.meta.url)),
  'goose',
);
const present = existsSync(folder);
const captures = present ? readdirSync(folder).filter((name) => name.endsWith('.ndjson')) : [];

const AT_A_TIME = 5;

const untimed = ({ kind, data }: RunnerEvent) => ({ kind, data });
/** True for the server's own events about the job, which the runner did not send. */
const isStats = ({ data }: RunnerEvent) => data.event === 'resource_stats';

function adapted(bytes: Uint8Array): RunnerEvent[] {
  const adapter = createGooseAdapter();
  return [...adapter.push(bytes), ...adapter.end({ exitCode: 0 })];
}

/** Plays a file with `runfeed demo` and follows it over a websocket from the start. */
async function playAndFollow(file: string): Promise<{ arrived: RunnerEvent[]; code: number | null }> {
  const demo = startRunfeed(['demo', '--file', file]);
  const [, url = ''] = await demo.printed(/GraphiQL: (\S+)\/graphiql/);
  const arrived: RunnerEvent[] = [];
  const events = streamEvents('demo', { url: `${url}/graphql`, webSocketImpl: WebSocket });
  for await (const event of events) arrived.push(event);
  await demo.printed(/stays up at/);
  demo.kill('SIGINT');
  const { code } = await demo.exit;
  return { arrived, code };
}

test.skipIf(!present)(
  'recordings of Goose exist (skipped: their folder is missing, see RUNFEED_CAPTURES)',
  () => {
    expect(captures.length).toBeGreaterThan(0);
  },
);

describe.skipIf(!present)('a recording played by the demo', () => {
  const played = new Map<string, Awaited<ReturnType<typeof playAndFollow>>>();

  // Playing is mostly waiting, so several recordings play at a time.
  beforeAll(async () => {
    const waiting = [...captures];
    const playNext = async (): Promise<void> => {
      for (let name = waiting.pop(); name; name = waiting.pop()) {
        played.set(name, await playAndFollow(join(folder, name)));
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, playNext));
  }, 120_000);

  test.each(captures)('%s arrives exactly as the adapter converted it, event by event', (name) => {
    const { arrived, code } = played.get(name)!;
    const told = arrived.filter((event) => !isStats(event));
    expect(told.map(untimed)).toEqual(adapted(readFileSync(join(folder, name))).map(untimed));
    expect(code).toBe(0);
  });
});
