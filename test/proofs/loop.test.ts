import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { releaseAfterwards } from '../support/releases.ts';
import { startServe } from '../support/runfeed-process.ts';
import { HOSTILE, prepare } from './hostile.ts';

/**
 * The longest allowed stop of the event loop, in milliseconds, from RUNFEED_PROOF_LOOP: 100 on a quiet
 * machine, 300 on a busy one.
 */
const LIMIT_MS = Number(process.env.RUNFEED_PROOF_LOOP);

const PROBER = fileURLToPath(new URL('children/health-prober.mjs', import.meta.url));

interface Figures {
  readonly longestMs: number;
  readonly failures: number;
}

async function startProber(url: string): Promise<() => Promise<Figures>> {
  const child = fork(PROBER, [url]);
  releaseAfterwards(() => child.kill());
  return async () => {
    const answer = once(child, 'message');
    child.send('figures');
    return (await answer)[0] as Figures;
  };
}

// Times depend on the machine, so this runs only on request. The other tests show that nothing expensive is
// started.
describe.runIf(LIMIT_MS > 0)('no client blocks the event loop', () => {
  test('as measured by another process', { timeout: 600_000 }, async () => {
    const server = await startServe();
    await prepare(server);
    const figures = await startProber(server.url);
    const rows: { readonly name: string; readonly longestMs: number; readonly failures: number }[] = [];
    for (const { name, act } of [{ name: 'nothing', act: async () => {} }, ...HOSTILE]) {
      await figures();
      // A cut request counts as refused. The prober's failures show whether the server still responds.
      await act(server).catch(() => {});
      const { longestMs, failures } = await figures();
      rows.push({ name, longestMs: Math.round(longestMs), failures });
      console.info(`${String(Math.round(longestMs)).padStart(6)} ms  ${name}`);
    }
    expect(rows.filter(({ failures }) => failures > 0)).toEqual([]);
    expect(rows.filter(({ longestMs }) => longestMs > LIMIT_MS)).toEqual([]);
  });
});
