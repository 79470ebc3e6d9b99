import { z } from 'zod';
import { MANAGED_BY, machineNameOf, type RunName } from './names.ts';

const someText = z.string().optional().catch(undefined);

const configSchema = z
  .object({ metadata: z.record(z.string(), z.string()).nullish().catch(null) })
  .nullish()
  .catch(null);

/** A machine as far as we read it: what is odd about the rest must not hide its id and state. */
export const machineSchema = z.object({
  id: z.string().min(1),
  name: z.string().catch(''),
  state: z.string(),
  region: someText,
  created_at: someText,
  host_status: someText,
  config: configSchema,
  /** In the place of `config` while the host is out of reach. */
  incomplete_config: configSchema,
  events: z.array(z.unknown()).nullish().catch(null),
});

/** See {@link machineSchema}. */
export type Machine = z.infer<typeof machineSchema>;

export const machinesSchema = z.array(machineSchema);

/** Anything that answers to an app's name. */
export const appSchema = z.object({
  name: z.string(),
  organization: z.object({ slug: someText }).nullish().catch(null),
});

export const appsSchema = z.object({ apps: z.array(appSchema) });

/** What we wrote on a machine; null when its host is out of reach and nothing of it can be read. */
export function metadataOf(machine: Machine): Readonly<Record<string, string>> | null {
  const config = machine.config ?? machine.incomplete_config;
  return config ? (config.metadata ?? {}) : null;
}

/**
 * Whose a machine with the run's name is. Where nothing can be read of it the name alone has to do: nobody else comes
 * upon it by chance.
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
