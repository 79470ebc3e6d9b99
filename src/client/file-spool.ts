import { constants } from 'node:fs';
import { copyFile, type FileHandle, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../lib/make-folder.ts';
import { createTally, howMany, type Spool, type SpooledEvent } from './report/spool.ts';

/** The options of {@link openFileSpool}. */
export interface FileSpoolOptions {
  /** The most events that the server does not have yet, in characters of JSON. Defaults to 64 Mi. */
  readonly maxCharacters?: number;
  /** Characters per file, by default 1 Mi. A file is removed once the server has all of its events. */
  readonly fileCharacters?: number;
  /**
   * Called for a damaged file, for example after a power failure. The file is set aside with all later ones,
   * and its events before the damage are kept. Without this function a damaged file is an error.
   */
  readonly onDamaged?: (damage: SpoolDamage) => void;
}

/** A spool file that contains something other than events. */
export interface SpoolDamage {
  readonly file: string;
  /** Where the damage begins, such as `line 3` or `line 1, where event 500 is missing`. */
  readonly place: string;
  /** The path of a copy of the whole damaged file. */
  readonly setAside: string;
}

/** A spool file contains something other than events, and no `onDamaged` is set. */
export class SpoolDamaged extends Error {
  override readonly name = 'SpoolDamaged';
  constructor(file: string, place: string) {
    super(`${file} is not a spool file or is damaged at ${place}: remove it, or set onDamaged`);
  }
}

/** One file of the folder: events as lines of JSON. */
interface Segment {
  readonly path: string;
  characters: number;
  last: SpooledEvent | null;
  /** The events, while the file is being written. Null: they are only in the file. */
  events: SpooledEvent[] | null;
}

const FILE = /^\d{12}\.ndjson$/;
const ANY_FILE = /^\d{12}\.ndjson(?:\.damaged)?$/;

/**
 * Refuses links, except on Windows, which lacks O_NOFOLLOW, and does not wait for the writer of a pipe.
 */
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a spool in a folder, which is created if missing and should belong to one run. Appended events
 * survive the process, even if it is killed. They survive a power failure only once they are taken, so that the server
 * never has events that a reopened spool lacks: it would give their numbers to others. A reopened spool
 * continues with the events in the folder, and may return up to a file's worth that the server already has.
 * Needs Node. Throws {@link SpoolDamaged}, or if the folder cannot be read or written.
 */
export async function openFileSpool(folder: string, options: FileSpoolOptions = {}): Promise<Spool> {
  const { maxCharacters = 64 * 1024 * 1024, fileCharacters = 1024 * 1024, onDamaged } = options;
  makeFolder(folder, 0o700);
  const everything = (await readdir(folder)).filter((name) => ANY_FILE.test(name)).sort();
  const names = everything.filter((name) => FILE.test(name));
  const segments: Segment[] = [];
  const tally = createTally();
  let waiting = 0;
  let last: SpooledEvent | null = null;
  for (const [index, name] of names.entries()) {
    const path = join(folder, name);
    const { events, damage } = await readEvents(path, last?.seq);
    for (const event of events) tally.add(event);
    waiting += events.length;
    // The events are not kept: together they may exceed what should be held in memory.
    segments.push({ path, characters: 0, last: events.at(-1) ?? null, events: null });
    last = events.at(-1) ?? last;
    if (damage === null) continue;
    if (!onDamaged) throw new SpoolDamaged(path, damage);
    const later = names.slice(index + 1).map((each) => join(folder, each));
    onDamaged({ file: path, place: damage, setAside: await setAside(path, events, later) });
    break;
  }
  let nextName = everything.length > 0 ? Number.parseInt(everything.at(-1)!, 10) + 1 : 0;
  let written: { readonly segment: Segment; readonly handle: FileHandle; isSynced: boolean } | null = null;
  let sealing: Promise<void> = Promise.resolve();
  let reading: { readonly segment: Segment; readonly events: readonly SpooledEvent[]; next: number } | null =
    null;

  async function startSegment() {
    const path = join(folder, `${String(nextName).padStart(12, '0')}.ndjson`);
    const handle = await open(path, 'ax', 0o600);
    nextName += 1;
    const segment: Segment = { path, characters: 0, last: null, events: [] };
    segments.push(segment);
    return { segment, handle, isSynced: true };
  }

  async function sealSegment(): Promise<void> {
    const sealed = written;
    written = null;
    if (!sealed) return;
    sealed.segment.events = null;
    await sync(sealed.handle);
    await sealed.handle.close();
  }

  /** Resolves once everything that was appended before would survive a power failure. */
  async function syncAll(): Promise<void> {
    await sealing;
    if (!written || written.isSynced) return;
    // What is appended meanwhile is synced by the next call.
    written.isSynced = true;
    await sync(written.handle);
  }

  /** Where to read next: the current position or, at the end of that file, the start of the next one. */
  async function placeToRead() {
    if (reading && (reading.next < reading.events.length || reading.segment === written?.segment)) {
      return reading;
    }
    const segment = segments[reading ? segments.indexOf(reading.segment) + 1 : 0];
    if (!segment) return null;
    reading = { segment, events: segment.events ?? (await readEvents(segment.path)).events, next: 0 };
    return reading;
  }

  return {
    maxCharacters,
    held: tally.held,
    last: () => last,
    waiting: () => waiting,
    append: async (event) => {
      if (written && written.segment.characters >= fileCharacters) {
        sealing = sealSegment();
        await sealing;
      }
      written ??= await startSegment();
      const { segment, handle } = written;
      try {
        await handle.appendFile(`${event.json}\n`);
      } catch (error) {
        // It may have written half a line, which is ignored only at the end of a file.
        await sealSegment();
        throw error;
      }
      // Only now: a sync that ran during the write did not include all of it.
      if (written?.segment === segment) written.isSynced = false;
      segment.events?.push(event);
      segment.characters += event.json.length;
      segment.last = event;
      last = event;
      tally.add(event);
      waiting += 1;
    },
    take: async (maxEvents, maxTaken) => {
      while (waiting > 0) {
        const place = await placeToRead();
        if (!place) break;
        const count = howMany(place.events, place.next, maxEvents, maxTaken);
        const taken = place.events.slice(place.next, place.next + count);
        place.next += count;
        waiting -= count;
        if (count === 0) continue;
        await syncAll();
        return taken;
      }
      return [];
    },
    release: async (events) => {
      tally.release(events);
      const through = events.at(-1)?.seq ?? -1;
      for (let oldest = segments[0]; oldest && oldest !== written?.segment; oldest = segments[0]) {
        if (oldest.last && oldest.last.seq > through) return;
        segments.shift();
        await removeFile(oldest.path);
      }
    },
    close: async () => {
      await sealSegment();
      if (tally.held().range) return;
      for (const { path } of segments.splice(0)) await removeFile(path);
    },
  };
}

/** Removes a file whose events the server has. It may be gone: systems clean their temporary folders. */
function removeFile(path: string): Promise<void> {
  return rm(path, { force: true });
}

/**
 * Reads whole lines: `append` never resolved for a partial last one. `damage` is the first line that is not an event, or
 * does not continue after the event before it. For the first line, that is `lastSeq`, the last event of the earlier files.
 */
async function readEvents(
  path: string,
  lastSeq?: number,
): Promise<{ readonly events: SpooledEvent[]; readonly damage: string | null }> {
  const file = await open(path, READ);
  const text = await wholeText(file, path).finally(() => file.close());
  const events: SpooledEvent[] = [];
  const lines = text.split('\n');
  const partial = lines.pop() ?? '';
  let expected = lastSeq === undefined ? null : lastSeq + 1;
  for (const [index, json] of lines.entries()) {
    const seq = seqOf(json);
    const place = `line ${index + 1}`;
    if (seq === null) return { events, damage: place };
    if (expected !== null && seq !== expected)
      return { events, damage: `${place}, where event ${expected} is missing` };
    events.push({ seq, json });
    expected = seq + 1;
  }
  // Nothing else leaves zeros: after a power failure, a file may have its length without its data.
  return { events, damage: partial.includes('\0') ? `line ${lines.length + 1}` : null };
}

async function wholeText(file: FileHandle, path: string): Promise<string> {
  if (!(await file.stat()).isFile()) throw new Error(`${path} is not a regular file: remove it`);
  // A process that was killed has written it, and its events are about to be sent.
  await sync(file);
  return file.readFile('utf8');
}

/** A disk that cannot promise to keep what it has stored must not stop the delivery. */
function sync(file: FileHandle): Promise<void> {
  return file.datasync().catch(() => {});
}

function seqOf(json: string): number | null {
  try {
    const { seq } = JSON.parse(json) as { readonly seq?: unknown };
    return Number.isSafeInteger(seq) ? (seq as number) : null;
  } catch {
    return null;
  }
}

/**
 * Copies the file and reduces it to these events. Moves later files aside, since they could not follow these
 * events. Returns the path of the copy.
 */
async function setAside(
  path: string,
  events: readonly SpooledEvent[],
  later: readonly string[],
): Promise<string> {
  const aside = `${path}.damaged`;
  await copyFile(path, aside);
  const draft = `${path}.draft`;
  await writeFile(draft, events.map(({ json }) => `${json}\n`).join(''), { mode: 0o600 });
  await rename(draft, path);
  for (const each of later) await rename(each, `${each}.damaged`);
  return aside;
}
