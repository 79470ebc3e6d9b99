import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { begins, says } from '../runtimes/messages-frames.ts';
import { sse, startFakeAnthropic } from '../support/fake-anthropic.ts';
import { FAKETIME, settableClock } from '../support/faketime.ts';
import { startServe } from '../support/runfeed-process.ts';
import { eventually } from '../support/runs.ts';
import { eventsOf, nativeEnvironment, startNative } from './native.ts';
import { adapted, TURN } from './turn.ts';

const REQUEST = { model: 'm', messages: [{ role: 'user', content: 'question' }] };
/** Long enough for several searches for abandoned runs and for a renewal of leases. */
const LOOKS_MS = 5_000;

test.skipIf(!FAKETIME)(
  'a clock set forward takes no run from its process, and a clock set back leaves no run behind',
  { timeout: 90_000 },
  async () => {
    const provider = await startFakeAnthropic();
    const session = provider.session('s1');
    provider.answer({ kind: 'stream', bytes: sse(begins(), says('h')), after: 'stall' });
    const { folder, set, environment } = await settableClock();
    const env = {
      ...nativeEnvironment(provider.url),
      NATIVE_PATIENCE_MS: '120000',
      DATABASE_URL: `file:${folder}/db/runfeed.sqlite`,
    };
    const server = await startServe({ ...env, ...environment });
    await startNative(server.graphql, { runId: 's1', sessionId: 's1' });
    await startNative(server.graphql, { runId: 'r', request: REQUEST });
    await eventually(async () => (await eventsOf(server.graphql, 'r')).length === 2);
    await eventually(() => session.streams().open === 1);
    for (const offset of ['+3600', '-3600', '+60']) {
      await set(offset);
      await sleep(LOOKS_MS);
      expect(session.streams()).toMatchObject({ open: 1, opened: 1 });
      expect(await eventsOf(server.graphql, 'r')).toHaveLength(2);
    }
    server.kill('SIGKILL');
    await server.exit;
    // On the new clock, its leases end in an hour, which no process has chosen.
    await set('-3600');
    const next = await startServe({ ...env, ...environment });
    session.emit(...TURN);
    const wanted = adapted(TURN).length;
    await eventually(async () => (await eventsOf(next.graphql, 's1')).length >= wanted, 30_000);
    await eventually(
      async () => (await eventsOf(next.graphql, 'r')).at(-1)?.kind === 'runtime_terminal',
      30_000,
    );
  },
);
