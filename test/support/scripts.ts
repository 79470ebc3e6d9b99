import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { releaseAfterwards } from './releases.ts';

/** A folder that is gone when the test has finished. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-test-'));
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A program for Node under this name, in a folder of its own: its path. */
export async function writeProgram(name: string, lines: string): Promise<string> {
  const path = join(await freshFolder(), name);
  await writeFile(path, `#!${process.execPath}\n${lines}\n`);
  await chmod(path, 0o755);
  return path;
}

/** What Goose prints for a piece of text. */
export function gooseText(text: string): string {
  const message = { id: 'm', role: 'assistant', created: 1, content: [{ type: 'text', text }], metadata: {} };
  return `${JSON.stringify({ type: 'message', message })}\n`;
}

/** What Goose prints in the end. */
export const GOOSE_COMPLETE = `${JSON.stringify({ type: 'complete', total_tokens: 7 })}\n`;
