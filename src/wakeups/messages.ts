import type { Wake } from './plane.ts';

/** A wake as other processes receive it. */
export type RemoteWake = Omit<Wake, 'chunk'>;

/** A decoded message: the reader's own probe, or wakes of another process. */
export type Message =
  | { readonly type: 'probe'; readonly number: number }
  | { readonly type: 'wakes'; readonly wakes: readonly Wake[] };

/**
 * The kinds from the weakest to the strongest: a listener that handles a kind also handles what weaker kinds
 * announce. The index is what is sent.
 */
const KINDS = ['appended', 'job', 'created', 'ended'] as const;

/** Postgres accepts payloads of less than 8,000 bytes. */
const MAX_MESSAGE_BYTES = 7_900;
/** The format's version, so that processes of different versions can share a channel during an upgrade. */
const VERSION = '2';

/** Merges two wakes of one run. The stronger kind wins: an ended run is never announced as `appended`. */
export function foldWakes(one: RemoteWake, other: RemoteWake): RemoteWake {
  const stronger = KINDS.indexOf(one.kind) > KINDS.indexOf(other.kind) ? one : other;
  return { ...stronger, lastSeq: Math.max(one.lastSeq, other.lastSeq) };
}

/** Encodes a probe, which only its sender decodes. */
export function encodeProbe(origin: string, number: number): string {
  return `${VERSION}:${origin}:${number}`;
}

/** Encodes wakes into as few messages as possible. `unsendable` counts wakes too long for a message. */
export function encodeWakes(
  origin: string,
  wakes: Iterable<RemoteWake>,
): { readonly messages: string[]; readonly unsendable: number } {
  const byWorkspace = new Map<string, string[]>();
  for (const { run, workspace, kind, lastSeq } of wakes) {
    const wake = `[${run},${KINDS.indexOf(kind)},${lastSeq}]`;
    const ofWorkspace = byWorkspace.get(workspace);
    if (ofWorkspace) ofWorkspace.push(wake);
    else byWorkspace.set(workspace, [wake]);
  }
  const start = `${VERSION}:${origin}:[`;
  const messages: string[] = [];
  let message = start;
  let unsendable = 0;
  for (const [workspace, entries] of byWorkspace) {
    const name = asciiJson(workspace);
    // A workspace's name precedes its wakes, once per message.
    let named = false;
    for (const entry of entries) {
      let piece = named ? `,${entry}` : `${message === start ? '' : ','}${name},${entry}`;
      if (message.length + piece.length + 1 > MAX_MESSAGE_BYTES) {
        piece = `${name},${entry}`;
        if (start.length + piece.length + 1 > MAX_MESSAGE_BYTES) {
          unsendable += 1;
          continue;
        }
        messages.push(`${message}]`);
        message = start;
      }
      message += piece;
      named = true;
    }
  }
  if (message !== start) messages.push(`${message}]`);
  return { messages, unsendable };
}

/**
 * Decodes a message for the process `self`: its own probes and the wakes of other processes. Returns null for
 * its own wakes, the probes of other processes and anything else on the channel.
 */
export function decodeMessage(text: string, self: string): Message | null {
  const [version, origin] = text.split(':', 2);
  if (version !== VERSION || !origin) return null;
  const body = text.slice(version.length + origin.length + 2);
  if (origin === self) return /^\d+$/.test(body) ? { type: 'probe', number: Number(body) } : null;
  if (!body.startsWith('[')) return null;
  const wakes = readWakes(body);
  return wakes && { type: 'wakes', wakes };
}

function readWakes(body: string): Wake[] | null {
  let items: unknown;
  try {
    items = JSON.parse(body);
  } catch {
    return null;
  }
  if (!Array.isArray(items)) return null;
  const wakes: Wake[] = [];
  let workspace: string | null = null;
  for (const item of items as readonly unknown[]) {
    if (typeof item === 'string') {
      workspace = item;
      continue;
    }
    const wake = workspace === null ? null : readWake(workspace, item);
    if (!wake) return null;
    wakes.push(wake);
  }
  return wakes;
}

function readWake(workspace: string, item: unknown): Wake | null {
  if (!Array.isArray(item) || !item.every((part) => Number.isSafeInteger(part))) return null;
  const [run, kindIndex, lastSeq] = item as readonly number[];
  const kind = KINDS[kindIndex ?? -1];
  if (run === undefined || lastSeq === undefined || !kind) return null;
  return { run, workspace, kind, lastSeq, chunk: null };
}

/** Encodes JSON in ASCII, so that its length is its bytes and a database of any encoding accepts it. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
