import { z } from 'zod';
import { streamEvents } from '../client/stream/events.ts';
import { ENDPOINT_OPTIONS, readEndpoint } from './endpoint.ts';
import { request } from './request.ts';
import { createPrinter } from './tail/printer.ts';
import { choosePaint } from './tail/style.ts';
import { onlyRun, readArguments, wholeNumber } from './terminal/arguments.ts';
import { harmlessJson } from './terminal/harmless.ts';
import { leaveIfStuck } from './terminal/leave.ts';
import { createOutput, throwFailure } from './terminal/output.ts';
import { codeOfSignal } from './terminal/signal-code.ts';
import { stopSignal } from './terminal/stop-signal.ts';
import { tell } from './terminal/tell.ts';
import { webSocketWith } from './websocket.ts';

const OPTIONS = {
  ...ENDPOINT_OPTIONS,
  after: { type: 'string' },
  json: { type: 'boolean', default: false },
  'no-color': { type: 'boolean', default: false },
} as const;

const found = z.object({ run: z.object({}).nullable() });

/**
 * `runfeed tail RUN`: prints a run's events as they arrive, from the start or after an event, until the run
 * ends. Returns 0 whatever the run's outcome is, and 0 if the reader of the output goes away; 130 or 143
 * after a signal.
 */
export async function tail(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, OPTIONS, true);
  const runId = onlyRun('tail', positionals);
  const after = wholeNumber('after', values.after, -1, Number.MAX_SAFE_INTEGER) ?? -1;
  const endpoint = await readEndpoint(values);
  const { run } = await request(endpoint, found, 'query ($id: ID!) { run(id: $id) { id } }', { id: runId });
  if (!run) throw new Error(`run ${runId} not found`);

  const printer = createPrinter(choosePaint(values['no-color']));
  const output = createOutput(1);
  let gap = '';
  let isAway = false;
  const events = streamEvents(runId, {
    webSocketImpl: webSocketWith(),
    ...endpoint,
    after,
    onGap: (removed) => {
      if (values.json) tell(`events ${removed.fromSeq} to ${removed.toSeq} were removed`);
      else gap += printer.gap(removed);
    },
    onState: (state, cut) => {
      if (state === 'reconnecting' && !isAway) tell(`connection lost, reconnecting: ${cut?.message}`);
      isAway = state === 'reconnecting';
    },
  });
  let isStopped = false;
  const stopped = stopSignal().then(async (signal) => {
    isStopped = true;
    events.return().catch(() => {});
    await leaveIfStuck(output, signal);
    return codeOfSignal(signal);
  });
  const printed = (async () => {
    for await (const event of events) {
      const text = values.json ? `${harmlessJson(event)}\n` : gap + printer.event(event);
      gap = '';
      await output.write(text);
      if (output.hungUp()) break;
    }
    if (!values.json) await output.write(gap + printer.end());
    throwFailure(output);
    return isStopped ? stopped : 0;
  })();
  return Promise.race([printed, stopped]);
}
