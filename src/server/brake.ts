import type { WebSocket } from 'ws';

/** Keeps a socket from being read while anything holds it. */
export interface Brake {
  readonly socket: WebSocket;
  holds: number;
}

/** Makes a brake that nothing holds. */
export function createBrake(socket: WebSocket): Brake {
  return { socket, holds: 0 };
}

/** Reads the socket no further until the result is called. What ws has read already still arrives. */
export function holdReading(brake: Brake): () => void {
  brake.holds += 1;
  if (brake.holds === 1) brake.socket.pause();
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    brake.holds -= 1;
    if (brake.holds === 0) brake.socket.resume();
  };
}
