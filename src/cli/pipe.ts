import { createReporter } from '../client/report/reporter.ts';
import { CLAIM_REFUSED_EXIT_CODE, ClaimRefused } from '../client/request/claim.ts';
import { commandEnvironment, secretsInEnvironment } from '../config/runner-env.ts';
import { createReleasers } from '../lib/releasers.ts';
import { credentialsIn } from '../lib/secrets/credentials.ts';
import { createRedactor } from '../lib/secrets/redact.ts';
import type { RuntimeAdapterOptions } from '../runtimes/adapter.ts';
import { createDetectingAdapter, type DetectingAdapter } from '../runtimes/detecting-adapter.ts';
import { createAdapter, RUNTIME_NAMES, type RuntimeName } from '../runtimes/registry.ts';
import { withPrompt } from './pipe/command.ts';
import { createFeeder, type FeederEnd } from './pipe/feeder.ts';
import { openSpool } from './pipe/open-spool.ts';
import { type PipeOptions, readPipeOptions } from './pipe/options.ts';
import { openPayloadFile } from './pipe/payload-file.ts';
import { checkPlace } from './pipe/place.ts';
import { watchSignals } from './pipe/signals.ts';
import { readInput, startCommand } from './pipe/source.ts';
import { openSpoolParent, takeSpoolFolder } from './pipe/spool-folder.ts';
import { findTarget, type Target } from './pipe/target.ts';
import { leaveBy } from './terminal/leave.ts';
import { createOutput } from './terminal/output.ts';
import { codeOfSignal } from './terminal/signal-code.ts';
import { tell } from './terminal/tell.ts';

/** The command exited with 0, but its run was not fully delivered, or its output not fully passed on. */
export const DELIVERY_FAILED_EXIT_CODE = 74;

/**
 * `runfeed pipe`: runs a command, or reads the output of one from standard input. Passes the output through
 * unchanged and reports the run that the output describes. Returns the command's exit code, or a code of its
 * own (see the README).
 */
export async function pipe(argv: readonly string[]): Promise<number> {
  const options = readPipeOptions(argv);
  const signals = watchSignals();
  try {
    // Check the folder before a run is created: after a failure nothing would end that run.
    const parent = await openSpoolParent(options.spool);
    const target = await findTarget(options, signals.beforeStart);
    return await pipeInto(target, parent, options, signals.to);
  } catch (error) {
    const stopped = signals.stoppedBy();
    if (stopped) return codeOfSignal(stopped);
    if (!(error instanceof ClaimRefused)) throw error;
    tell(`the claim was refused (${error.code}): ${error.message}`);
    return CLAIM_REFUSED_EXIT_CODE;
  } finally {
    signals.release();
  }
}

async function pipeInto(
  target: Target,
  spoolParent: string,
  options: PipeOptions,
  signalsTo: (handle: (signal: NodeJS.Signals) => void) => void,
): Promise<number> {
  const { runId, endpoint, payload, place } = target;
  const { flushTimeoutMs, spoolMib } = options;
  const command = options.command && withPrompt(options.command, payload);
  const releasers = createReleasers();
  try {
    const folder = await takeSpoolFolder(spoolParent, endpoint.url, runId);
    releasers.add(folder.release);
    const nextSeq = place?.nextSeq ?? null;
    const spool = await openSpool({ folder: folder.path, spoolMib, nextSeq, tell });
    const resumed = await checkPlace({ target, spool, folder: folder.path, flushTimeoutMs });
    let isAway = false;
    const reporter = createReporter({
      runId,
      ...endpoint,
      ...(place && { nextSeq: place.nextSeq, lastTMs: place.lastTMs }),
      spool,
      onRetry: (error) => {
        if (!isAway) tell(`delivery interrupted, keeping events in ${folder.path}: ${error.message}`);
        isAway = true;
      },
      onAcknowledged: () => {
        if (isAway) tell('delivery resumed');
        isAway = false;
      },
    });
    releasers.add(async () => void (await reporter.close({ deadlineMs: 0 })));
    const redact = createRedactor([
      ...Object.values(target.env),
      ...[endpoint.token, endpoint.adminToken].filter((token) => token !== undefined),
      ...secretsInEnvironment(),
      ...credentialsIn(payload),
    ]);
    const adapter = adapterOf(options.runtime, { resumed, redact });
    const feeder = createFeeder({ adapter, reporter, flushTimeoutMs, tell });
    const payloadFile = await openPayloadFile(folder.path, payload);
    releasers.add(payloadFile.remove);
    const env = { ...target.env, ...payloadFile.env };
    const errors = createOutput(2);
    const source = command ? startCommand(command, commandEnvironment(env), errors) : readInput();
    signalsTo(source.signal);
    const exited = source.exit.then(async (exit) => {
      feeder.hurry();
      signalsTo((signal) => {
        tell(
          `exiting before all output was passed on and delivered; undelivered events are in ${folder.path}`,
        );
        leaveBy(signal);
      });
      await payloadFile.remove();
      return exit;
    });
    const output = createOutput(1);
    for (let bytes = await source.next(); bytes; bytes = await source.next()) {
      await Promise.all([output.write(bytes), feeder.push(bytes)]);
    }
    const { runtime, code, started } = await exited;
    const end = await feeder.end(runtime);
    if (started && !adapter.hasRecognised()) tell(unrecognised(runId));
    const unwritten = output.failure();
    if (unwritten) tell(`${unwritten.message}: the rest of the command’s output was not passed on`);
    const isDelivered = !end.undelivered && !end.failure && !end.isCut;
    if (!isDelivered) tell(lossOf(end, folder.path));
    return code || (isDelivered && !unwritten ? 0 : DELIVERY_FAILED_EXIT_CODE);
  } finally {
    await releasers.release();
  }
}

/** Without a runtime's name, the runtime is detected from the output. */
function adapterOf(runtime: RuntimeName | null, options: RuntimeAdapterOptions): DetectingAdapter {
  if (runtime === null) return createDetectingAdapter(options);
  return { ...createAdapter(runtime, options), hasRecognised: () => true };
}

function unrecognised(runId: string): string {
  return `unrecognized output format, so run ${runId} is stored as failed: pass --runtime with one of ${RUNTIME_NAMES.join(', ')}`;
}

function lossOf({ undelivered, failure, isCut }: FeederEnd, folder: string): string {
  const why = failure ? failure.message : 'the server did not acknowledge them in time';
  const kept = undelivered
    ? `events ${undelivered.fromSeq} to ${undelivered.toSeq} were not delivered and stay in ${folder}`
    : 'not all events were delivered';
  return `${kept}${isCut ? ', and later events are lost' : ''}: ${why}`;
}
