/** Too much data is waiting, or too many writers compete for one run. The same batch may be sent again. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
  constructor() {
    super('too much data is waiting to be stored: send the same batch again later');
  }
}

/** The server is shutting down. The same batch may be sent to its successor. */
export class ShuttingDown extends Error {
  override readonly name = 'ShuttingDown';
  constructor() {
    super('the server is shutting down: reconnect and send the same batch again');
  }
}
