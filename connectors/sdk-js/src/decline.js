/** From a gateway's words for a decline to ours. */

/** @import { Decline, DeclineCode, RetryAdvice } from "interlock:connector/types@0.3.0" */
/** @import { Host } from "./connector.js" */

/**
 * A gateway's decline codes: its word, what it means, and what may be tried next.
 */
export class DeclineTable {
  /** @param {Record<string, [DeclineCode, RetryAdvice]>} words */
  constructor(words) {
    this.words = new Map(Object.entries(words));
  }

  /**
   * The decline of that word. One that the table does not have is `other` with the advice `never` (nobody knows what a
   * repetition would do), and a line in the log asks for it to be added.
   *
   * @param {string} word
   * @param {string} message
   * @param {Host} host
   * @returns {Decline}
   */
  decline(word, message, host) {
    const known = this.words.get(word);
    if (known === undefined) host.log("warn", `the decline code ${word} is in no table`);
    const [code, advice] = known ?? ["other", "never"];
    return { code, gatewayCode: word, message, advice, references: [], reopenableForSeconds: 0 };
  }
}
