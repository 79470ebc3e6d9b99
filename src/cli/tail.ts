import { WebSocket } from 'ws';
import { streamEvents } from '../client/stream-events.ts';
import { onlyRun, readArguments, wholeNumber } from './arguments.ts';
import { ENDPOINT_OPTIONS, readEndpoint } from './endpoint.ts';
import { leaveBy } from './leave.ts';
import { createOutput } from './output.ts';
import { request } from './request.ts';
import { codeOfSignal } from './signal-code.ts';
import { stopSignal } from './stop-signal.ts';
import { createPrinter } from './tail/printer.ts';
import { choosePaint } from './tail/style.ts';
import { tell } from './tell.ts';

const OPTIONS = {
  ...ENDPOINT_OPTIONS,
  after: { type: 'string' },
  json: { type: 'boolean', default: false },
  'no-color': { type: 'boolean', default: false },
} as const;

/** How long what was printed has to be read after a signal. */
const LAST_WRITE_MS = 500;

/**
 * `runfeed tail RUN`: prints a run as it goes, from the start or after an event, and leaves when it ends: with 0, however
 * the run itself ended. So does it when nobody reads its output any more; a signal gives 130 or 143.
 */
export async function tail(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, OPTIONS, true);
  const runId = onlyRun('tail', positionals);
  const after = wholeNumber('after', values.after, -1, Number.MAX_SAFE_INTEGER) ?? -1;
  const endpoint = await readEndpoint(values);
  const { run } = await request(endpoint, 'query ($id: ID!) { run(id: $id) { id } }', { id: runId });
  if (!run) throw new Error(`run ${runId} not found`);

  const printer = createPrinter(choosePaint(values['no-color']));
  const output = createOutput(1);
  let gap = '';
  let isAway = false;
  const events = streamEvents(runId, {
    ...endpoint,
    after,
    webSocketImpl: WebSocket,
    onGap: (removed) => {
      if (values.json) tell(`events ${removed.fromSeq} to ${removed.toSeq} were removed`);
      else gap += printer.gap(removed);
    },
    onState: (state, cut) => {
      if (state === 'reconnecting' && !isAway) tell(`the connection is lost, trying again: ${cut?.message}`);
      isAway = state === 'reconnecting';
    },
  });
  let isStopped = false;
  const stopped = stopSignal().then(async (signal) => {
    isStopped = true;
    events.return().catch(() => {});
    // A write may be on its way to a reader that reads: only one that takes nothing is left behind.
    if (!(await output.finishesWithin(LAST_WRITE_MS))) leaveBy(signal);
    return codeOfSignal(signal);
  });
  const printed = (async () => {
    for await (const event of events) {
      const text = values.json ? `${JSON.stringify(event)}\n` : gap + printer.event(event);
      gap = '';
      await output.write(text);
      if (output.hungUp()) break;
    }
    if (!values.json) await output.write(gap + printer.end());
    return isStopped ? stopped : 0;
  })();
  return Promise.race([printed, stopped]);
}
