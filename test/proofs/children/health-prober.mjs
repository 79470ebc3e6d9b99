// Repeatedly requests /health of the server at argv[2], in a separate process, and reports the longest wait:
// the time that the server's event loop was blocked. A message requests the figure and starts a new one.
import { Agent, get } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const ask = () =>
  new Promise((resolve) => {
    const request = get(`${process.argv[2]}/health`, { agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode === 200));
    });
    request.once('error', () => resolve(false));
  });

let longest = 0;
let failures = 0;
let begunAt = performance.now();
process.on('message', () => {
  // A wait that has not ended counts, too.
  process.send({ longestMs: Math.max(longest, performance.now() - begunAt), failures });
  longest = 0;
  failures = 0;
});
process.once('disconnect', () => process.exit());
for (;;) {
  begunAt = performance.now();
  if (!(await ask())) failures += 1;
  longest = Math.max(longest, performance.now() - begunAt);
  await sleep(2);
}
