// A runner that claims its job, prints everything it knows in every way, and continues until it is stopped.
// It records what it received in `claimed-<run>.json` in its folder.
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const { RUNFEED_API_BASE, RUNFEED_RUNNER_TOKEN, RUNFEED_RUN_ID, FLY_MACHINE_ID } = process.env;
const instance = FLY_MACHINE_ID ?? `${process.pid}-${Date.now()}`;
const query = `mutation ($instance: String!) { claimJob(instance: $instance) {
  __typename ... on ClaimJobSuccess { payload env token } ... on Error { code message }
} }`;
const response = await fetch(`${RUNFEED_API_BASE}/graphql`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${RUNFEED_RUNNER_TOKEN}` },
  body: JSON.stringify({ query, variables: { instance } }),
});
const { claimJob: claim } = (await response.json()).data;

const { payload, env, token } = claim;
const texts = [...Object.values(env), payload.prompt, payload.files[0].content, RUNFEED_RUNNER_TOKEN, token];
for (const text of texts) {
  const half = Math.floor(text.length / 2);
  process.stdout.write(`whole: ${text}\nsplit: ${text.slice(0, half)}`);
  await sleep(50);
  process.stdout.write(`${text.slice(half)}\n`);
  for (const before of ['', 'x', 'xy']) console.log('base64:', Buffer.from(before + text).toString('base64'));
  console.log('base64url:', Buffer.from(text).toString('base64url'));
  console.log('hex:', Buffer.from(text).toString('hex'));
  console.log('url:', encodeURIComponent(text));
  console.error(new Error(`401: ${JSON.stringify({ key: text })}`));
}
console.log('all was printed');
const file = `claimed-${RUNFEED_RUN_ID}.json`;
writeFileSync(
  `${file}.draft`,
  JSON.stringify({ ...claim, claimToken: RUNFEED_RUNNER_TOKEN, environment: process.env }),
);
renameSync(`${file}.draft`, file);
setInterval(() => {}, 1_000);
