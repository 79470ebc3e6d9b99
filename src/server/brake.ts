import type { WebSocket } from 'ws';

/** Keeps a socket from being read while anything holds it. */
export interface Brake {
  /** Reads no further until the hold is given up; returns what gives it up. */
  hold(): () => void;
}

/** Makes a brake that nothing holds. What ws has read already still arrives. */
export function createBrake(socket: WebSocket): Brake {
  let holds = 0;
  return {
    hold: () => {
      holds += 1;
      if (holds === 1) socket.pause();
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        holds -= 1;
        if (holds === 0) socket.resume();
      };
    },
  };
}
