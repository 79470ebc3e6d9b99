import { randomUUID } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegularFile } from '../../lib/regular-file.ts';
import { codeOf } from '../../lib/text/error-line.ts';
import type { ProcessIdentity } from './proc.ts';

/**
 * The files in a job's folder and the types of their fields; one with `?` may be null. Each file appears
 * whole and has one writer. Server and shim know of one another only through these files.
 */
const FILES = {
  /** Written by the server, together with the folder. Contains nothing of the environment. */
  'spec.json': {
    id: 'string',
    workspaceId: 'string',
    runId: 'string',
    image: 'string',
    specHash: 'string',
    createdAt: 'number',
  },
  /** Who may start the command: the shim that came first, or (pid 0) none ever, since a stop came first. */
  'pid.json': { bootId: 'string', pid: 'number', startTime: 'number' },
  /** Written by the shim: the main process, which leads its own session and group. */
  'child.json': { pid: 'number', startTime: 'number' },
  /** Written by the server: Unix milliseconds, and the same as a duration in case the clock gets set. */
  'stop.json': { killAt: 'number', graceMs: 'number' },
  /**
   * Written by the shim, last of all. `cause` is own, stop or deadline; `error` is why the start failed; `left`
   * is null if all other processes were killed for certain, or in files of older versions.
   */
  'exit.json': {
    exitCode: 'number?',
    signal: 'string?',
    error: 'string?',
    cause: 'string',
    finishedAt: 'number',
    left: 'string?',
  },
} as const;

/** All files of the server and the shim take less than 2 KiB. */
const MAX_FILE_BYTES = 64 * 1024;

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

/** The command's output, and its older half. */
export const LOG_FILE = 'log';
export const OLD_LOG_FILE = 'log.1';

/** The command's working folder, next to the job's files, so that it may delete everything in it. */
export const WORK_FOLDER = 'work';

/** Reads a job's file. Returns null if it does not exist, and throws if it is damaged. */
export function readJobFile<Name extends FileName>(folder: string, name: Name): JobFile<Name> | null {
  const text = readIfThere(folder, name, `${name} of a job`);
  if (text === null) return null;
  const value: unknown = JSON.parse(text);
  if (isShaped(value, FILES[name])) return value as JobFile<Name>;
  throw new Error(`${name} of a job is damaged`);
}

/** Writes a job's file whole. Not durably: a crash of the machine ends the job, too. */
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
 * Takes the right to start the job's command. Returns false if it is taken. It is granted once in the life of
 * a folder, so whatever dies at whatever moment, the command never starts twice.
 */
export async function claimStart(folder: string, by: ProcessIdentity | null): Promise<boolean> {
  const draft = draftOf(folder, 'pid.json');
  try {
    await storeDraft(draft, by ?? { bootId: '', pid: 0, startTime: 0 });
    // A link fails if the name is taken and shows only whole content. An exclusive open does only the first.
    await link(draft, join(folder, 'pid.json'));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Returns true if this error code means that the machine has no room now, for a process or a file. */
export function isNoRoom(code: string): boolean {
  return ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT'].includes(code);
}

function draftOf(folder: string, name: FileName): string {
  return join(folder, `${name}.${randomUUID()}.draft`);
}

/** Uses the thread pool: a sync takes some 10 ms, far too long for a server's event loop. */
async function storeDraft(draft: string, content: object): Promise<void> {
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(JSON.stringify(content));
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Returns the text of a file in a folder of jobs, or null if it does not exist. A job can replace its files with anything,
 * such as a pipe. Errors call it `shownAs`.
 */
export function readIfThere(folder: string, name: string, shownAs: string): string | null {
  const path = join(folder, name);
  // A failed read creates an error with its stack. Checking first costs a tenth, and often finds no file.
  if (!existsSync(path)) return null;
  const read = readRegularFile(path, MAX_FILE_BYTES);
  if (read.ok) return read.text;
  if (read.code === 'ENOENT') return null;
  throw Object.assign(new Error(`${shownAs} ${read.problem}`), { code: read.code });
}

function isShaped(value: unknown, shape: Shape): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return Object.entries(shape).every(([name, kind]) => {
    const field = fields.get(name);
    // Older versions did not write every field.
    return kind.endsWith('?') && (field ?? null) === null ? true : typeof field === kind.replace('?', '');
  });
}
