import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../../lib/error-line.ts';
import type { ProcessIdentity } from './proc.ts';

/**
 * What a job's folder holds, by file and field; a name with `?` may be null. Each file appears whole, has one writer and
 * is all that server and shim know of one another.
 */
const FILES = {
  /** By the server, with the folder itself. Nothing of the environment. */
  'spec.json': {
    id: 'string',
    workspaceId: 'string',
    runId: 'string',
    image: 'string',
    specHash: 'string',
    createdAt: 'number',
  },
  /** Who may start the command: the shim that came first, or (pid 0) nobody ever, since a stop came before. */
  'pid.json': { bootId: 'string', pid: 'number', startTime: 'number' },
  /** By the shim: the main process, which leads a session and group of its own. */
  'child.json': { pid: 'number', startTime: 'number' },
  /** By the server: Unix milliseconds, and the same as a duration for a machine whose clock was set meanwhile. */
  'stop.json': { killAt: 'number', graceMs: 'number' },
  /** By the shim, last of all. `cause` is own, stop or deadline; `error` why the command could not be started. */
  'exit.json': {
    exitCode: 'number?',
    signal: 'string?',
    error: 'string?',
    cause: 'string',
    finishedAt: 'number',
  },
} as const;

interface Kinds {
  readonly string: string;
  readonly number: number;
  readonly 'string?': string | null;
  readonly 'number?': number | null;
}

type FileName = keyof typeof FILES;
type Shape = Readonly<Record<string, keyof Kinds>>;
type Shaped<Fields extends Shape> = { readonly [Name in keyof Fields]: Kinds[Fields[Name]] };

/** The content of one of a job's files. */
export type JobFile<Name extends FileName> = Shaped<(typeof FILES)[Name]>;

/** The command's output, with its older half beside it. */
export const LOG_FILE = 'log';
export const OLD_LOG_FILE = 'log.1';

/** Where the command starts: beside our files, so that it may sweep its own floor. */
export const WORK_FOLDER = 'work';

/** Reads a job's file; null when it is not there, an error when it is not what we wrote. */
export function readJobFile<Name extends FileName>(folder: string, name: Name): JobFile<Name> | null {
  const text = readIfThere(join(folder, name));
  if (text === null) return null;
  const value: unknown = JSON.parse(text);
  if (isShaped(value, FILES[name])) return value as JobFile<Name>;
  throw new Error(`${name} of a job is damaged`);
}

/** Writes a job's file whole. Not durably: it is of no account once the machine has gone down, and all with it. */
export function writeJobFile<Name extends 'child.json' | 'stop.json'>(
  folder: string,
  name: Name,
  content: JobFile<Name>,
): void {
  const draft = draftOf(folder, name);
  writeFileSync(draft, JSON.stringify(content), { mode: 0o600 });
  renameSync(draft, join(folder, name));
}

/** Writes a job's file whole and durably. */
export async function storeJobFile<Name extends 'spec.json' | 'exit.json'>(
  folder: string,
  name: Name,
  content: JobFile<Name>,
): Promise<void> {
  const draft = draftOf(folder, name);
  await storeDraft(draft, content);
  await rename(draft, join(folder, name));
}

/**
 * Takes the one right to start the job's command; false when it is taken. Given away once in the life of a folder, so
 * that whatever dies at whatever moment the command is never started twice.
 */
export async function claimStart(folder: string, by: ProcessIdentity | null): Promise<boolean> {
  const draft = draftOf(folder, 'pid.json');
  try {
    await storeDraft(draft, by ?? { bootId: '', pid: 0, startTime: 0 });
    // A link fails where a name is taken and shows only whole content; an exclusive open can do only the first.
    await link(draft, join(folder, 'pid.json'));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Whether that means that the machine has no room now, for a process or a file. */
export function isNoRoom(code: string): boolean {
  return ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT'].includes(code);
}

function draftOf(folder: string, name: FileName): string {
  return join(folder, `${name}.${randomUUID()}.draft`);
}

/** In the thread pool: a disk takes some 10 ms to have it, far too long for a server's loop. */
async function storeDraft(draft: string, content: object): Promise<void> {
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(JSON.stringify(content));
    await file.sync();
  } finally {
    await file.close();
  }
}

function readIfThere(file: string): string | null {
  // A failed read makes an error with its stack: the look first costs a tenth of that, and is mostly all there is.
  if (!existsSync(file)) return null;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function isShaped(value: unknown, shape: Shape): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return Object.entries(shape).every(([name, kind]) => {
    const field = fields.get(name);
    return kind.endsWith('?') && field === null ? true : typeof field === kind.replace('?', '');
  });
}
