import { z } from 'zod';
import { MANAGED_BY, machineNameOf, type RunName } from './names.ts';

const someText = z.string().optional().catch(undefined);

const configSchema = z
  .object({ metadata: z.record(z.string(), z.string()).nullish().catch(null) })
  .nullish()
  .catch(null);

/** The parts of a machine that runfeed reads. Anything odd about the rest must not hide its id and state. */
export const machineSchema = z.object({
  id: z.string().min(1),
  name: z.string().catch(''),
  state: z.string(),
  region: someText,
  created_at: someText,
  host_status: someText,
  config: configSchema,
  /** Takes the place of `config` while the host is unreachable. */
  incomplete_config: configSchema,
  events: z.array(z.unknown()).nullish().catch(null),
});

/** See {@link machineSchema}. */
export type Machine = z.infer<typeof machineSchema>;

export const machinesSchema = z.array(machineSchema);

/** The parts of an app that runfeed reads. */
export const appSchema = z.object({
  name: z.string(),
  organization: z.object({ slug: someText }).nullish().catch(null),
});

export const appsSchema = z.object({ apps: z.array(appSchema) });

/** Returns the metadata that runfeed gave a machine. Null if its host is unreachable and hides it. */
export function metadataOf(machine: Machine): Readonly<Record<string, string>> | null {
  const config = machine.config ?? machine.incomplete_config;
  return config ? (config.metadata ?? {}) : null;
}

/**
 * Returns true if the machine is this run's. If its metadata cannot be read, the name alone decides: no other
 * program picks it by chance.
 */
export function isOfRun(machine: Machine, run: RunName): boolean {
  if (machine.name !== machineNameOf(run)) return false;
  const metadata = metadataOf(machine);
  return metadata === null || isMarked(metadata, run);
}

function isMarked(metadata: Readonly<Record<string, string>>, run: RunName): boolean {
  const { managed_by, workspace_id, run_id } = metadata;
  return managed_by === MANAGED_BY && workspace_id === run.workspaceId && run_id === run.runId;
}
