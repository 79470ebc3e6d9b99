import { addEvent, type ExitDetails, exitRequest, type FakeMachine, type Guest } from './machine.ts';
import type { World } from './world.ts';

/** Returns what runs in a starting machine. Null: an idle process that runs until it is stopped. */
export type GuestOf = (machine: FakeMachine) => Guest | null;

const SIGTERM_CODE = 143;
const SIGKILL_CODE = 137;
const UNPULLABLE = /unpullable/;

/** The life cycle of machines. */
export interface Life {
  /** Moves the machine one step towards `started`. */
  advance(machine: FakeMachine): void;
  exit(machine: FakeMachine, details: ExitDetails): void;
  stop(machine: FakeMachine, timeoutMs: number): void;
  destroy(machine: FakeMachine): void;
  close(): void;
}

export function createLife(world: World, guestOf: GuestOf): Life {
  function advance(machine: FakeMachine): void {
    if (machine.hostStatus !== 'ok') return;
    if (machine.state === 'created') {
      machine.state = 'starting';
    } else if (machine.state === 'starting' && UNPULLABLE.test(machine.config.image)) {
      machine.state = 'failed';
      addEvent(machine, 'launch', 'failed', 'flyd', { error: 'failed to pull image: manifest unknown' });
    } else if (machine.state === 'starting') {
      machine.state = 'started';
      addEvent(machine, 'start', 'started');
      run(machine);
    }
  }

  function run(machine: FakeMachine): void {
    const guest = guestOf(machine);
    machine.guest = guest;
    guest?.exited.then(
      (code) => exit(machine, { exit_code: code, requested_stop: machine.state === 'stopping' }),
      () => exit(machine, { exit_code: 1 }),
    );
  }

  function exit(machine: FakeMachine, details: ExitDetails): void {
    if (machine.state !== 'started' && machine.state !== 'stopping') return;
    clearTimeout(machine.killTimer ?? undefined);
    machine.state = 'stopped';
    addEvent(machine, 'exit', 'stopped', 'flyd', exitRequest(world.exitShape, details));
  }

  function stop(machine: FakeMachine, timeoutMs: number): void {
    if (machine.state === 'created' || machine.state === 'starting') {
      machine.state = 'stopped';
      return;
    }
    if (machine.state !== 'started') return;
    machine.state = 'stopping';
    machine.killTimer = setTimeout(() => {
      machine.guest?.kill?.();
      exit(machine, { exit_code: SIGKILL_CODE, requested_stop: true });
    }, timeoutMs);
    if (machine.ignoresSigterm) return;
    if (machine.guest) machine.guest.terminate?.();
    else exit(machine, { exit_code: SIGTERM_CODE, requested_stop: true });
  }

  function destroy(machine: FakeMachine): void {
    clearTimeout(machine.killTimer ?? undefined);
    machine.state = 'destroying';
    // The process may keep running on an unreachable host.
    if (machine.hostStatus !== 'ok') return;
    machine.guest?.kill?.();
    machine.state = 'destroyed';
    addEvent(machine, 'destroy', 'destroyed');
  }

  return {
    advance,
    exit,
    stop,
    destroy,
    close: () => {
      for (const machine of world.machines) {
        clearTimeout(machine.killTimer ?? undefined);
        machine.guest?.kill?.();
      }
    },
  };
}
