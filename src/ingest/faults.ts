/** Too much waits already, or too many writers compete for one run. The same batch may be sent again. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
  constructor() {
    super('too much is waiting to be stored: send the same batch again a little later');
  }
}

/** The server is stopping. The same batch may be sent to its successor. */
export class ShuttingDown extends Error {
  override readonly name = 'ShuttingDown';
  constructor() {
    super('the server is stopping: send the same batch again after reconnecting');
  }
}
