import { z } from 'zod';
import { CLAIM_REFUSED_EXIT_CODE, ClaimRefused, claimJob, type JobClaim } from '../client/claim.ts';
import { readRunnerEnvironment } from '../config/runner-env.ts';
import { fileSource, linesSource, play } from './play.ts';
import { DEMO_TRANSCRIPT } from './transcript.ts';
import { UsageError } from './usage-error.ts';

const payloadSchema = z.object({ file: z.string().optional() });

/**
 * `runfeed demo-runner`: what a job of the runner `demo` runs. Claims the job, plays a Goose transcript into its run (the
 * one that ships, or the payload's `file`), and ends.
 */
export async function demoRunner(): Promise<number> {
  const job = readRunnerEnvironment();
  if (!job) throw new UsageError('demo-runner is started by a job of the runner demo, not by hand');
  const url = `${job.apiBase}/graphql`;
  let claim: JobClaim;
  try {
    claim = await claimJob({ url, token: job.token, instance: job.instance });
  } catch (error) {
    if (!(error instanceof ClaimRefused)) throw error;
    process.stderr.write(`runfeed: the claim was refused (${error.code}): ${error.message}\n`);
    return CLAIM_REFUSED_EXIT_CODE;
  }
  const { file } = payloadSchema.parse(claim.payload ?? {});
  const source = file === undefined ? linesSource(DEMO_TRANSCRIPT) : await fileSource(file);
  const { runId, token, nextSeq, lastTMs } = claim;
  process.stdout.write(`playing ${file ?? 'the transcript that ships'} into run ${runId}\n`);
  await play(source, { runId, url, token, nextSeq, lastTMs });
  process.stdout.write('the run has its end\n');
  return 0;
}
