import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, type FileHandle, open, opendir, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { codeOf } from '../../lib/text/error-line.ts';
import { SubstrateError } from '../errors.ts';

/** More than jobs leave behind. Without a bound, a process that keeps adding would keep the server busy. */
const MAX_ENTRIES = 1_000_000;

const FOLDER_ITSELF = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Removes a folder of the server with all that is in it, even while another user, to whom folders in it
 * belong, swaps these for links. No path leads through such a folder: each is first moved up into the server's
 * folder, which no other user can write to, then opened, and its entries are reached by its descriptor. So the
 * depth costs no descriptors either.
 *
 * Does nothing if there is no such folder. Throws if something cannot be removed, or after `maxEntries`
 * entries. The next call continues.
 */
export async function removeTree(path: string, maxEntries = MAX_ENTRIES): Promise<void> {
  const top = await openFolder(path);
  if (!top) return;
  let left = maxEntries;
  const count = () => {
    if (left === 0) throw refusal(`a job’s folder still has entries after ${maxEntries} were removed`);
    left -= 1;
  };
  try {
    await requireDescriptorPaths(top);
    do {
      count();
      for await (const name of namesIn(top)) {
        count();
        await removeEntry(top, name, count);
      }
    } while (!(await isRemoved(path)));
  } finally {
    await top.close();
  }
}

async function removeEntry(top: FileHandle, name: string, count: () => void): Promise<void> {
  const path = pathIn(top, name);
  if (await isUnlinked(path)) return;
  await makeWritable(path);
  const folder = await openFolder(path);
  if (!folder) return;
  try {
    for await (const inner of namesIn(folder)) {
      count();
      if (!(await isUnlinked(pathIn(folder, inner)))) await moveUp(pathIn(folder, inner), top);
    }
  } finally {
    await folder.close();
  }
  // If something was added meanwhile, the next pass finds the folder again.
  await isRemoved(path);
}

/** Returns null if there is no such folder. Throws if it is a link. */
async function openFolder(path: string | Buffer): Promise<FileHandle | null> {
  try {
    return await open(path, FOLDER_ITSELF);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Without `/proc/self/fd`, every entry would seem to be gone. */
async function requireDescriptorPaths(folder: FileHandle): Promise<void> {
  const own = await folder.stat();
  const seen = await stat(`/proc/self/fd/${folder.fd}`).catch(() => null);
  if (seen?.ino === own.ino && seen.dev === own.dev) return;
  throw refusal('a job’s folder cannot be removed safely without /proc/self/fd: mount /proc');
}

/** Names are bytes. As Latin-1, every byte is one character. */
async function* namesIn(folder: FileHandle): AsyncGenerator<string> {
  for await (const { name } of await opendir(`/proc/self/fd/${folder.fd}`, { encoding: 'latin1' }))
    yield name;
}

function pathIn(folder: FileHandle, name: string): Buffer {
  return Buffer.from(`/proc/self/fd/${folder.fd}/${name}`, 'latin1');
}

/** Returns false if it is a folder. */
async function isUnlinked(path: Buffer): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    if (['EISDIR', 'EPERM'].includes(codeOf(error))) return false;
    throw error;
  }
}

async function moveUp(path: Buffer, top: FileHandle): Promise<void> {
  await makeWritable(path);
  try {
    await rename(path, pathIn(top, randomUUID()));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Root can empty and move any folder. Other users have the server's own jobs, whose links can do no harm. */
async function makeWritable(path: Buffer): Promise<void> {
  if (process.geteuid?.() !== 0) await chmod(path, 0o700).catch(() => {});
}

/** Returns false if the folder is not empty. */
async function isRemoved(path: string | Buffer): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) return false;
    throw error;
  }
}

function refusal(message: string): SubstrateError {
  return new SubstrateError({ errorClass: 'substrate_error', message, transient: true });
}
