import { SubstrateError } from '../errors.ts';
import type { FlyConfig } from '../fly-api/config.ts';
import type { JobSpec } from '../substrate.ts';

/** The possible sizes of machines of one kind. */
interface Sizes {
  readonly cpus: readonly number[];
  readonly minMbPerCpu: number;
  readonly maxMbPerCpu: number;
}

const SIZES: Readonly<Record<FlyConfig['cpuKind'], Sizes>> = {
  shared: { cpus: [1, 2, 4, 8], minMbPerCpu: 256, maxMbPerCpu: 2_048 },
  performance: { cpus: [1, 2, 4, 8, 16], minMbPerCpu: 2_048, maxMbPerCpu: 8_192 },
};

const MEMORY_STEP_MB = 256;

/** A machine's size, as the API names it. */
export interface Guest {
  readonly cpu_kind: FlyConfig['cpuKind'];
  readonly cpus: number;
  readonly memory_mb: number;
}

/**
 * Returns the smallest size with at least these resources. Throws `config_invalid` if none is large enough: a
 * job that was promised memory must not find out that it has less.
 */
export function guestOf(kind: FlyConfig['cpuKind'], resources: NonNullable<JobSpec['resources']>): Guest {
  const sizes = SIZES[kind];
  const cpus = sizes.cpus.find((count) => count >= resources.cpus);
  if (cpus === undefined) {
    throw invalid(
      `${kind} machines have at most ${sizes.cpus.at(-1)} CPUs, but ${resources.cpus} were requested`,
    );
  }
  const stepped = Math.ceil(resources.memoryMb / MEMORY_STEP_MB) * MEMORY_STEP_MB;
  const memory = Math.max(stepped, cpus * sizes.minMbPerCpu);
  const most = cpus * sizes.maxMbPerCpu;
  if (!(memory <= most)) {
    throw invalid(
      `${kind} machines with ${cpus} CPUs have at most ${most} MB, but ${resources.memoryMb} were requested`,
    );
  }
  return { cpu_kind: kind, cpus, memory_mb: memory };
}

function invalid(message: string): SubstrateError {
  return new SubstrateError({ errorClass: 'config_invalid', message });
}
