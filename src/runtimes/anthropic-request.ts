import type { JsonValue } from '../contract/events.ts';
import { fileLoads, type LoadEvent, skillLoads } from './anthropic-loads.ts';
import { fieldsOf, listOf, objectOf, stringOf } from './json.ts';

/**
 * The skills and files that the body of a `POST /v1/messages` makes available. The wire tells of skills only at the end
 * of the answer and of files never. Anything that is no such body gives none. Never throws.
 */
export function describeMessagesRequest(body: unknown): LoadEvent[] {
  const request = objectOf(body as JsonValue);
  const messages = listOf(request?.messages) ?? [];
  return [
    ...skillLoads(objectOf(request?.container)?.skills),
    ...messages.flatMap((message) => fileLoads(objectOf(message)?.content)),
  ];
}

/**
 * The skills and files that a session has from its beginning, told by the session that creating or getting it answers;
 * no event tells of them. Anything that is no session gives none. Never throws.
 */
export function describeSession(session: unknown): LoadEvent[] {
  const { agent, resources } = objectOf(session as JsonValue) ?? {};
  const files = (listOf(resources) ?? []).flatMap((value): LoadEvent[] => {
    const resource = objectOf(value);
    const fileId = resource?.type === 'file' ? stringOf(resource.file_id) : undefined;
    if (fileId === undefined) return [];
    const path = fieldsOf({ path: stringOf(resource?.mount_path) });
    return [{ kind: 'file_uploaded', data: { fileId, ...path } }];
  });
  return [...skillLoads(objectOf(agent)?.skills), ...files];
}
