import { takeSpoolFolder } from '../../../dist/cli/pipe/spool-folder.js';

// Locks a spool folder on request, and holds it until it is told to release it.

/** @type {{ release(): Promise<void> } | null} */
let held = null;

process.on('message', async ({ release, base, url, runId, at }) => {
  if (release) {
    await held?.release();
    held = null;
    process.send(true);
    return;
  }
  while (Date.now() < at);
  held = await takeSpoolFolder(base, url, runId).catch(() => null);
  process.send(held !== null);
});
