/** Shorter ways to say what came of an operation. */

/** @import { Accepted, Approval, Money, Pairs } from "interlock:connector/types@0.3.0" */

/**
 * An approval that says no more than what was done and how much; `more` has totals, references and the like.
 *
 * @param {string} gatewayReference
 * @param {Money} amount
 * @param {Partial<Approval>} [more]
 * @returns {Approval}
 */
export function approval(gatewayReference, amount, more = {}) {
  return { gatewayReference, amount, references: [], extra: [], ...more };
}

/**
 * The card network's or issuer's code behind the gateway's, for `Decline.networkCode`, if the gateway passes one on. What
 * the contract has no room for (empty, longer than 64 bytes, not printable ASCII) is left out: a decline is worth more
 * than its code.
 *
 * @param {string | undefined} code
 * @returns {string | undefined}
 */
export function networkCode(code) {
  return code !== undefined && /^[ -~]{1,64}$/.test(code) ? code : undefined;
}

/**
 * That the gateway has it under this reference, and what later operations are to know.
 *
 * @param {string} gatewayReference
 * @param {Pairs} [references]
 * @returns {Accepted}
 */
export function accepted(gatewayReference, references = []) {
  return { gatewayReference, references };
}
