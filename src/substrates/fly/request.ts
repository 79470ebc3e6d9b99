import type { MachineRequest } from '../fly-api/client.ts';
import type { FlyConfig } from '../fly-api/config.ts';
import { MANAGED_BY, machineNameOf } from '../fly-api/names.ts';
import type { JobSpec } from '../substrate.ts';
import { goDurationOf } from './grace.ts';
import { guestOf } from './guest.ts';

/** Returns the request for a job's machine, in the requested region. */
export function requestOf(spec: JobSpec, config: FlyConfig): MachineRequest {
  return {
    name: machineNameOf(spec),
    region: spec.region,
    config: {
      image: spec.image,
      env: spec.env,
      metadata: {
        managed_by: MANAGED_BY,
        workspace_id: spec.workspaceId,
        run_id: spec.runId,
        spec_hash: spec.specHash,
      },
      // Without this policy Fly restarts a machine that exits with an error.
      restart: { policy: 'no' },
      // A destroyed machine's exit stays readable for an unknown time: it goes once the verdict is stored.
      auto_destroy: false,
      stop_config: { signal: 'SIGTERM', timeout: goDurationOf(config.graceMs) },
      dns: { skip_registration: true },
      ...(spec.resources && { guest: guestOf(config.cpuKind, spec.resources) }),
    },
  };
}
