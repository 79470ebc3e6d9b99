// The runner of a proven job: claims it, sends numbered events that name its instance, and ends as its
// payload says. It outlives its server and retries everything without an answer. Plain JavaScript, because
// Node 20 cannot run TypeScript.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** Exit code if the server told the runner to leave. */
const LEFT = 100;
/** Exit code after an answer that the runner must never get. */
const MISTREATED = 70;
const TRIES = 1_000;

const { RUNFEED_API_BASE, RUNFEED_RUNNER_TOKEN, RUNFEED_RUN_ID, FLY_MACHINE_ID } = process.env;
const instance = FLY_MACHINE_ID ?? `${process.pid}-${Date.now()}`;
let ignoresSigterm = false;
process.on('SIGTERM', () => {
  if (!ignoresSigterm) process.exit(143);
});

async function ask(token, query, variables) {
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      const response = await fetch(`${RUNFEED_API_BASE}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.timeout(20_000),
      });
      const { data } = await response.json();
      if (data) return data;
    } catch {
      // The server is not running, or no longer running.
    }
    await sleep(50 + Math.random() * 100);
  }
  return process.exit(MISTREATED);
}

const CLAIM = `mutation ($instance: String!) { claimJob(instance: $instance) {
  __typename ... on ClaimJobSuccess { payload token nextSeq lastTMs } ... on Error { code message }
} }`;
const SEND = `mutation ($batch: RunnerEventBatchInput!, $previousSeq: SafeInt) {
  ingestEvents(batch: $batch, previousSeq: $previousSeq) { __typename ... on Error { code message } }
}`;

function leave({ code, message }) {
  console.error(`${code}: ${message}`);
  process.exit(['claim_refused', 'run_terminated'].includes(code) ? LEFT : MISTREATED);
}

const { claimJob: claim } = await ask(RUNFEED_RUNNER_TOKEN, CLAIM, { instance });
if (claim.__typename !== 'ClaimJobSuccess') leave(claim);
const { payload: plan, token } = claim;
ignoresSigterm = plan.ignoresSigterm;
if (plan.leavesChild) spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();

let nextSeq = claim.nextSeq;
let lastTMs = claim.lastTMs;
async function send(kinds) {
  const previousSeq = nextSeq - 1;
  lastTMs = Math.max(lastTMs, Date.now());
  const events = kinds.map((kind) => ({ seq: nextSeq++, tMs: lastTMs, kind, data: { instance } }));
  const batch = { v: 1, runId: RUNFEED_RUN_ID, events };
  const { ingestEvents: sent } = await ask(token, SEND, { batch, previousSeq });
  if (sent.__typename !== 'IngestEventsSuccess') leave(sent);
}

for (const size of plan.batches) {
  await send(Array(size).fill('assistant_text'));
  await sleep(plan.pauseMs);
}
if (plan.sendsTerminal) await send(['runtime_terminal']);
switch (plan.end) {
  case 'exit':
    process.exit(0);
    break;
  case 'fail':
    process.exit(3);
    break;
  case 'crash':
    process.kill(process.pid, 'SIGKILL');
    break;
  case 'go on':
    setInterval(() => {}, 1_000);
}
