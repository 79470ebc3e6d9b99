import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { releaseAfterwards } from '../support/releases.ts';
import { startServe } from '../support/runfeed-process.ts';
import { HOSTILE, prepare } from './hostile.ts';

/** RUNFEED_PROOF_LOOP is the longest that the loop may stand still, in milliseconds: 100 on a quiet machine, 300 on a loaded one. */
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

// Times depend on the machine, so this runs by hand. That nothing expensive is begun is what the other tests show.
describe.runIf(LIMIT_MS > 0)('no client holds the event loop', () => {
  test('as another process measures it', { timeout: 600_000 }, async () => {
    const server = await startServe();
    await prepare(server);
    const figures = await startProber(server.url);
    const rows: { readonly name: string; readonly longestMs: number; readonly failures: number }[] = [];
    for (const { name, act } of [{ name: 'nothing', act: async () => {} }, ...HOSTILE]) {
      await figures();
      // A request that is cut has been refused; whether the server lives shows in the prober's failures.
      await act(server).catch(() => {});
      const { longestMs, failures } = await figures();
      rows.push({ name, longestMs: Math.round(longestMs), failures });
      console.info(`${String(Math.round(longestMs)).padStart(6)} ms  ${name}`);
    }
    expect(rows.filter(({ failures }) => failures > 0)).toEqual([]);
    expect(rows.filter(({ longestMs }) => longestMs > LIMIT_MS)).toEqual([]);
  });
});
