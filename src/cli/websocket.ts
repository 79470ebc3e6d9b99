import { type ClientOptions, WebSocket } from 'ws';
import { MESSAGE_MAX_LENGTH } from '../client/request/answer.ts';

/** Returns a WebSocket class with these options that reads no message of more than 64 MiB. */
export function webSocketWith(options: Pick<ClientOptions, 'agent' | 'headers'> = {}): typeof WebSocket {
  return class extends WebSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol, { ...options, maxPayload: MESSAGE_MAX_LENGTH });
    }
  } as typeof WebSocket;
}
