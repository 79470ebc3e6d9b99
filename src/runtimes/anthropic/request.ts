import type { JsonValue } from '../../contract/events.ts';
import { fieldsOf, listOf, objectOf, stringOf } from '../json.ts';
import { fileLoads, type LoadEvent, skillLoads } from './loads.ts';

/**
 * Returns the skills and files that the body of a `POST /v1/messages` makes available. The stream reports
 * skills only at the end of the answer, and never reports files. Returns an empty list for any other value.
 * Never throws.
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
 * Returns the skills and files that a session starts with. `session` is the answer to creating or getting the
 * session; no event reports them. Returns an empty list for any other value. Never throws.
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
