// A server with jobs in the folder that its first argument names. Starts the job `run-1` with the command
// line of its second, prints "starting" before and its process id after, does what its third says, and
// continues until it is killed.
import { createProcessSubstrate, processImage } from '../../../../src/substrates/process/substrate.ts';
import { jobSpec, OWNER } from '../specs.ts';

const [folder = '', commandText = '[]', thenWhat = ''] = process.argv.slice(2);
const command = JSON.parse(commandText) as readonly string[];
const substrate = createProcessSubstrate(
  {
    folder,
    owner: OWNER,
    commands: new Map([[processImage('test', command), command]]),
    environment: process.env,
  },
  { graceMs: 200 },
);
const [verb = '', milliseconds = ''] = thenWhat.split(' ');
console.log('starting');
const handle = await substrate.start(
  jobSpec(command, { runId: 'run-1', ...(verb === 'limit' && { maxRunDurationMs: Number(milliseconds) }) }),
);
if (verb === 'stop') await substrate.stop(handle, { graceMs: Number(milliseconds) });
console.log(process.pid);
setInterval(() => {}, 1000);
