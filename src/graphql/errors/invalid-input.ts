import { GraphQLError } from 'graphql';
import type { ZodError, ZodType } from 'zod';
import type { FaultCode } from '../../contract/errors.ts';
import { clipEnd } from '../../lib/text/clip.ts';

/** The maximum length of a path element in a message: clients choose the names of labels. */
const MAX_PART_LENGTH = 200;

/** Creates the BAD_USER_INPUT fault of invalid arguments. `extensions.issues` lists paths and messages. */
export function invalidInput(error: Pick<ZodError, 'issues'>): GraphQLError {
  const issues = error.issues.map(({ path, message }) => ({
    path: path.map((part) => clipEnd(String(part), MAX_PART_LENGTH)),
    message,
  }));
  const summary = issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    .join('; ');
  const code: FaultCode = 'BAD_USER_INPUT';
  return new GraphQLError(`Invalid input: ${summary}`, {
    extensions: { code, issues },
  });
}

/** Checks arguments explicitly: in subscriptions, the plugin would check them again for every event. */
export function checkArguments<Output>(schema: ZodType<Output>, args: unknown): Output {
  const parsed = schema.safeParse(args);
  if (!parsed.success) throw invalidInput(parsed.error);
  return parsed.data;
}
