import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { fieldsOf, listOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';

const MAX_REMEMBERED = 1024;
const MAX_KEY_LENGTH = 512;
const NEWEST = 'latest';

/** An event about a skill or file that became available to the agent. */
export type LoadEvent =
  /** `{skill, version?, source?}` */
  | { readonly kind: 'skill_loaded'; readonly data: JsonObject }
  /** `{fileId, name?, path?}` */
  | { readonly kind: 'file_uploaded'; readonly data: JsonObject };

/** Records each skill and each file once, however often the host and the wire report it. */
export interface LoadLog {
  record(load: LoadEvent, run: RunRecorder): void;
}

/** Creates an empty log. It remembers 1,024 loads; later ones may be recorded twice. */
export function createLoadLog(): LoadLog {
  const seen = new Set<string>();

  const keyOf = ({ kind, data }: LoadEvent, version: JsonValue | undefined): string =>
    JSON.stringify([kind, data.skill ?? data.fileId, version ?? NEWEST]);

  return {
    record(load, run) {
      const key = keyOf(load, load.data.version);
      // A request for the newest version is answered with its name: the same skill, not a second one.
      if (seen.has(key) || seen.has(keyOf(load, NEWEST))) return;
      if (seen.size < MAX_REMEMBERED && key.length <= MAX_KEY_LENGTH) seen.add(key);
      run.emit(load.kind, load.data);
    },
  };
}

/** Returns the skills in a list of `{type, skill_id, version?}`. */
export function skillLoads(skills: JsonValue | undefined): LoadEvent[] {
  return (listOf(skills) ?? []).flatMap((value): LoadEvent[] => {
    const skill = objectOf(value);
    const name = stringOf(skill?.skill_id);
    if (name === undefined) return [];
    const more = fieldsOf({ version: stringOf(skill?.version), source: stringOf(skill?.type) });
    return [{ kind: 'skill_loaded', data: { skill: name, ...more } }];
  });
}

/** Returns the files of the Files API that content blocks refer to, including those inside tool results. */
export function fileLoads(content: JsonValue | undefined): LoadEvent[] {
  return (listOf(content) ?? []).flatMap((value): LoadEvent[] => {
    const block = objectOf(value);
    if (block?.type === 'tool_result') return (listOf(block.content) ?? []).flatMap(fileLoad);
    return fileLoad(value);
  });
}

function fileLoad(value: JsonValue): LoadEvent[] {
  const block = objectOf(value);
  const source = block?.type === 'container_upload' ? block : objectOf(block?.source);
  const fileId = stringOf(source?.file_id);
  if (fileId === undefined) return [];
  return [{ kind: 'file_uploaded', data: { fileId, ...fieldsOf({ name: stringOf(block?.title) }) } }];
}
