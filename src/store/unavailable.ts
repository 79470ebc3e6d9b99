/** The database cannot answer now. Part of the call may have been stored: read before writing again. */
export class StoreUnavailable extends Error {
  override readonly name: string = 'StoreUnavailable';
}

/**
 * The database works, but other transactions hold what the call needs, or too many calls wait for such rows.
 * Nothing was stored. Handled like any {@link StoreUnavailable}, but says nothing about other calls.
 */
export class StoreContended extends StoreUnavailable {
  override readonly name = 'StoreContended';
}
