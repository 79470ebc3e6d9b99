import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt } from '../../lib/attempt.ts';
import { identityOf } from '../../store/sqlite-file/files.ts';
import { type Lock, lockFile } from '../../store/sqlite-file/lock.ts';
import { readIfThere } from './files.ts';

/** The file of a SQLite database: its real path, and its device and inode, which its copies do not have. */
interface OwnerFile {
  readonly file: string;
  readonly copy: string;
}

const RECORD = 'database.json';
const REMEDY = 'set JOBS_FOLDER to another folder';

/**
 * Takes the folder of the jobs of a SQLite database, given by its real path, for one server. A copy of the
 * database has the same folder, but its server would look after the jobs of the original a second time. Throws
 * while another server has the folder, or if the database that had it last is still where it was.
 */
export async function takeOwnerFolder(folder: string, file: string): Promise<Lock> {
  const lock = lockFile(join(folder, `${RECORD}-lock`), () => {
    const other = readRecord(folder)?.file ?? 'another file';
    return new Error(
      `a server on ${other} runs the jobs of this database, one of the two being a copy: ${REMEDY}`,
    );
  });
  try {
    const database = { file, copy: identityOf(file) ?? '' };
    const last = readRecord(folder);
    if (last && isElsewhere(last, database)) {
      throw new Error(
        `the jobs here are those of ${last.file}, of which ${file} is a copy: ${REMEDY}, or move ${last.file} away if ${file} replaces it`,
      );
    }
    await writeRecord(folder, database);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A moved file is still the same, and a restored backup has taken the place of what it replaces. */
function isElsewhere(last: OwnerFile, { copy }: OwnerFile): boolean {
  return last.copy !== copy && identityOf(last.file) === last.copy;
}

/** Returns null if no server has had the folder yet, or if the record is damaged. */
function readRecord(folder: string): OwnerFile | null {
  const text = readIfThere(folder, RECORD, RECORD);
  const record = text === null ? null : attempt(() => JSON.parse(text) as Record<string, unknown> | null);
  const { file, copy } = record ?? {};
  return typeof file === 'string' && typeof copy === 'string' ? { file, copy } : null;
}

/** Only the holder of the lock writes. */
async function writeRecord(folder: string, { file, copy }: OwnerFile): Promise<void> {
  const draft = join(folder, `${RECORD}.draft`);
  await writeFile(draft, JSON.stringify({ file, copy }), { mode: 0o600 });
  await rename(draft, join(folder, RECORD));
}
