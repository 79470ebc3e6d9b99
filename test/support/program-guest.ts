import { spawn } from 'node:child_process';
import type { FakeMachine, Guest } from './fake-fly/machine.ts';

const SIGKILL_CODE = 137;

/** Runs a Node program in a machine of the fake Fly, in this folder and with the machine's environment. */
export function programGuest(program: string, { id, config }: FakeMachine, folder: string): Guest {
  const child = spawn(process.execPath, [program], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...config.env, FLY_MACHINE_ID: id },
    stdio: 'ignore',
  });
  return {
    exited: new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? SIGKILL_CODE));
    }),
    terminate: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
  };
}
