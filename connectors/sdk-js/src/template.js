/** Text with holes: what the host fills in when the request has left the sandbox. */

/** @import { Segment } from "interlock:connector/types@0.3.0" */

/**
 * Pieces of text and holes, one after the other.
 */
export class Template {
  /** @param {Segment[]} segments */
  constructor(segments) {
    this.segments = segments;
  }
}

/**
 * Text and holes in a row: `template("Bearer ", secret("api_key"))`.
 *
 * @param {...(string | Template)} pieces
 * @returns {Template}
 */
export function template(...pieces) {
  return new Template(
    pieces.flatMap((piece) => (piece instanceof Template ? piece.segments : [{ tag: "text", val: piece }])),
  );
}

/**
 * A hole for what the payment brings along: the card's number, the wallet's token …
 *
 * @param {"card-number" | "card-cvc" | "card-holder" | "card-expiry-month" | "card-expiry-year"
 *   | "card-expiry-year-short" | "wallet-token" | "gateway-token"} name
 * @returns {Template}
 */
export function hole(name) {
  return new Template([{ tag: name }]);
}

/**
 * A hole for a secret of the gateway account, by the name that the descriptor declares.
 *
 * @param {string} name
 * @returns {Template}
 */
export function secret(name) {
  return new Template([{ tag: "secret", val: name }]);
}

/**
 * A hole for `base64("first:second")`, each the name of a secret, or "" for nothing: what stands after `Basic `.
 *
 * @param {string} first
 * @param {string} second
 * @returns {Template}
 */
export function basicAuth(first, second) {
  return new Template([{ tag: "basic-auth", val: [first, second] }]);
}

/**
 * A hole for a value that `openSession` had the host keep.
 *
 * @param {string} name
 * @returns {Template}
 */
export function session(name) {
  return new Template([{ tag: "session", val: name }]);
}

/**
 * A hole for the result of one of the request's computed values.
 *
 * @param {string} name
 * @returns {Template}
 */
export function computed(name) {
  return new Template([{ tag: "computed", val: name }]);
}
