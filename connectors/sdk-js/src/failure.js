/** The connector cannot make sense of what the gateway said. */

/**
 * Thrown out of a connector, it is the contract's `failure`: the host treats the operation as unknown and finds out, and
 * refuses a webhook. Anything else that is thrown is a bug of the connector, and ends the run as a trap.
 *
 * No place for personal data, and nothing quoted from replies: the message goes to the operator's log.
 */
export class Failure extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    /** What the contract's `result` carries. */
    this.payload = { message };
  }
}
