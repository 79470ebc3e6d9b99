import { constants } from 'node:fs';
import { copyFile, type FileHandle, open, readdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../lib/make-folder.ts';
import { createTally, howMany, type Spool, type SpooledEvent } from './spool.ts';

/** How much a file spool may hold. */
export interface FileSpoolOptions {
  /** Events that the server does not have yet, in characters of JSON; by default 64 Mi. */
  readonly maxCharacters?: number;
  /** A file is followed by the next one at so many, and removed when the server has all of it; by default 1 Mi. */
  readonly fileCharacters?: number;
  /**
   * Hears of a file that holds something else than events, as after a loss of power: it is set aside, with all later
   * ones, and its events before that place are kept. Without it such a file is an error.
   */
  readonly onDamaged?: (damage: SpoolDamage) => void;
}

/** A file of a spool that holds something else than events. */
export interface SpoolDamage {
  readonly file: string;
  /** Where, such as `line 3`. */
  readonly place: string;
  /** The file that has all of it now. */
  readonly setAside: string;
}

/** One file of the folder: events as lines of JSON. */
interface Segment {
  readonly path: string;
  characters: number;
  last: SpooledEvent | null;
  /** Its events, while it is written; null: they are in the file only. */
  events: SpooledEvent[] | null;
}

const FILE = /^\d{12}\.ndjson$/;
const ANY_FILE = /^\d{12}\.ndjson(?:\.damaged)?$/;

/** Not on Windows. */
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);

/**
 * A spool in a folder, which is made and should be the run's own: what was appended outlives the process, killed or
 * not, though not the machine's power (nothing is fsynced). Opening it again goes on with what is there, and may hand
 * out up to a file's worth that the server has already. Needs Node. Throws when the folder cannot be read or written.
 */
export async function openFileSpool(folder: string, options: FileSpoolOptions = {}): Promise<Spool> {
  const { maxCharacters = 64 * 1024 * 1024, fileCharacters = 1024 * 1024, onDamaged } = options;
  makeFolder(folder, 0o700);
  const everything = (await readdir(folder)).filter((name) => ANY_FILE.test(name)).sort();
  const names = everything.filter((name) => FILE.test(name));
  const segments: Segment[] = [];
  const tally = createTally();
  let waiting = 0;
  for (const [index, name] of names.entries()) {
    const path = join(folder, name);
    const { events, damage } = await readEvents(path);
    for (const event of events) tally.add(event);
    waiting += events.length;
    // What was read goes again: it may be more than is to be held in memory.
    segments.push({ path, characters: 0, last: events.at(-1) ?? null, events: null });
    if (damage === null) continue;
    if (!onDamaged) throw new Error(`${path} is none of a spool's files, or damaged at ${damage}`);
    const later = names.slice(index + 1).map((each) => join(folder, each));
    onDamaged({ file: path, place: damage, setAside: await setAside(path, events, later) });
    break;
  }
  let nextName = everything.length > 0 ? Number.parseInt(everything.at(-1)!, 10) + 1 : 0;
  let last = segments.findLast((segment) => segment.last !== null)?.last ?? null;
  let written: { readonly segment: Segment; readonly handle: FileHandle } | null = null;
  let reading: { readonly segment: Segment; readonly events: readonly SpooledEvent[]; next: number } | null =
    null;

  async function startSegment() {
    const path = join(folder, `${String(nextName).padStart(12, '0')}.ndjson`);
    const handle = await open(path, 'ax', 0o600);
    nextName += 1;
    const segment: Segment = { path, characters: 0, last: null, events: [] };
    segments.push(segment);
    return { segment, handle };
  }

  async function sealSegment(): Promise<void> {
    const sealed = written;
    written = null;
    if (!sealed) return;
    sealed.segment.events = null;
    await sealed.handle.close();
  }

  /** Where events are read next: the place reached or, when that file is read through, the next file's start. */
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
      if (written && written.segment.characters >= fileCharacters) await sealSegment();
      written ??= await startSegment();
      const { segment, handle } = written;
      try {
        await handle.appendFile(`${event.json}\n`);
      } catch (error) {
        // It may have written half a line, which is passed over at a file's end only.
        await sealSegment();
        throw error;
      }
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
        if (count > 0) return taken;
      }
      return [];
    },
    release: async (events) => {
      tally.release(events);
      const through = events.at(-1)?.seq ?? -1;
      for (let oldest = segments[0]; oldest && oldest !== written?.segment; oldest = segments[0]) {
        if (oldest.last && oldest.last.seq > through) return;
        segments.shift();
        await unlink(oldest.path);
      }
    },
    close: async () => {
      await sealSegment();
      if (tally.held().range) return;
      for (const { path } of segments.splice(0)) await unlink(path);
    },
  };
}

/** Whole lines only: what a killed process was writing was never handed over. `damage` is the first line that is none. */
async function readEvents(
  path: string,
): Promise<{ readonly events: SpooledEvent[]; readonly damage: string | null }> {
  const file = await open(path, READ);
  const text = await file.readFile('utf8').finally(() => file.close());
  const events: SpooledEvent[] = [];
  for (const [index, json] of text.split('\n').slice(0, -1).entries()) {
    const seq = seqOf(json);
    const last = events.at(-1);
    if (seq === null || (last && seq !== last.seq + 1)) return { events, damage: `line ${index + 1}` };
    events.push({ seq, json });
  }
  return { events, damage: null };
}

function seqOf(json: string): number | null {
  try {
    const { seq } = JSON.parse(json) as { readonly seq?: unknown };
    return Number.isSafeInteger(seq) ? (seq as number) : null;
  } catch {
    return null;
  }
}

/** Leaves the file with these events alone, and answers where all of it is. What comes later could not follow them. */
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
