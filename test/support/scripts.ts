import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { releaseAfterwards } from './releases.ts';

/** Creates a folder for the duration of the test. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-test-'));
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a Node program with this name into a new folder and returns its path. */
export async function writeProgram(name: string, lines: string): Promise<string> {
  const path = join(await freshFolder(), name);
  await writeFile(path, `#!${process.execPath}\n${lines}\n`);
  await chmod(path, 0o755);
  return path;
}

/** Returns the line that Goose prints for a piece of text. */
export function gooseText(text: string): string {
  const message = { id: 'm', role: 'assistant', created: 1, content: [{ type: 'text', text }], metadata: {} };
  return `${JSON.stringify({ type: 'message', message })}\n`;
}

/** The line that Goose prints at the end. */
export const GOOSE_COMPLETE = `${JSON.stringify({ type: 'complete', total_tokens: 7 })}\n`;
