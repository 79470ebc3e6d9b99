import { z } from 'zod';
import {
  CLAIM_REFUSED_EXIT_CODE,
  ClaimRefused,
  claimJob,
  type JobClaim,
} from '../../client/request/claim.ts';
import { readRunnerEnvironment } from '../../config/runner-env.ts';
import { createLineWriter } from '../terminal/line-writer.ts';
import { tell } from '../terminal/tell.ts';
import { UsageError } from '../terminal/usage-error.ts';
import { DEMO_TRANSCRIPT } from '../transcript.ts';
import { fileSource, linesSource, play } from './play.ts';

const payloadSchema = z.object({ file: z.string().optional() });

/**
 * `runfeed demo-runner`, the command of the runner `demo`. Claims the job and plays a Goose transcript into
 * its run: the payload's `file`, or the built-in transcript. Returns the exit code, 79 if the claim
 * is refused.
 */
export async function demoRunner(): Promise<number> {
  const job = readRunnerEnvironment();
  if (!job) throw new UsageError('demo-runner only runs inside a job of the runner demo: use runfeed demo');
  const url = `${job.apiBase}/graphql`;
  let claim: JobClaim;
  try {
    claim = await claimJob({ url, token: job.token, instance: job.instance });
  } catch (error) {
    if (!(error instanceof ClaimRefused)) throw error;
    tell(`the claim was refused (${error.code}): ${error.message}`);
    return CLAIM_REFUSED_EXIT_CODE;
  }
  const { file } = payloadSchema.parse(claim.payload ?? {});
  const source = file === undefined ? linesSource(DEMO_TRANSCRIPT) : await fileSource(file);
  const { runId, token, nextSeq, lastTMs } = claim;
  // The agent works whether or not its output can be written.
  const output = createLineWriter(1);
  output.write(`playing ${file ?? 'the built-in transcript'} into run ${runId}\n`);
  await play(source, { runId, url, token, nextSeq, lastTMs });
  output.write('the run has ended\n');
  return 0;
}
