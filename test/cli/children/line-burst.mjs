import { once } from 'node:events';
import { createLineWriter } from '../../../dist/cli/terminal/line-writer.js';

/** Writes many lines to standard error at once, and one more line once something arrives on standard input. */
const writer = createLineWriter(2, (lost) => `lost ${lost}\n`);
const LINES = 5_000;
for (let number = 0; number < LINES; number += 1) writer.write(`${number} ${'x'.repeat(1_000)}\n`);
process.stdout.write('written\n');
await once(process.stdin, 'data');
process.stdin.destroy();
writer.write('late\n');
