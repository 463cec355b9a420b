/** Charges, refunds and refusals as the gateway writes them, and what they mean to us. */

import {
  DeclineTable, Failure, accepted, approval, document, field, integer, networkCode, object, oneOf, optional, text,
} from "./sdk/index.js";

/** @import { Outcome, Pairs, Response } from "interlock:connector/types@0.3.0" */
/** @import { Host } from "./sdk/src/connector.js" */
/** @import { Document } from "./sdk/src/reply.js" */

/** The name under which the charge's id is kept between operations. */
export const CHARGE = "charge";

/**
 * The gateway's words for declines and refusals. Only where another gateway may see it differently does it pay to ask
 * one.
 */
const DECLINES = new DeclineTable({
  do_not_honor: ["do-not-honor", "never"],
  expired_card: ["expired-card", "never"],
  incorrect_number: ["incorrect-number", "never"],
  insufficient_funds: ["insufficient-funds", "other-gateway"],
  invalid_amount: ["misconfigured", "other-gateway"],
  invalid_currency: ["currency-unsupported", "other-gateway"],
  invalid_cvc: ["incorrect-cvc", "never"],
  invalid_number: ["incorrect-number", "never"],
  invalid_request: ["misconfigured", "other-gateway"],
  refund_declined: ["other", "never"],
  unauthenticated: ["misconfigured", "other-gateway"],
});

/** @typedef {ReturnType<typeof readCharge>} Charge */
/** @typedef {ReturnType<typeof readRefund>} Refund */
/** @typedef {ReturnType<typeof readRefusal>} Refusal */

/**
 * A charge. Amounts in minor units; `captured` is cumulative. `reference` is the operation that the reply speaks of, and
 * `step` says which one that is where it is not the charge itself.
 *
 * @param {Document} charge
 */
export function readCharge(charge) {
  const step = optional(charge, "step", object);
  const decline = optional(charge, "decline", object);
  return {
    id: field(charge, "id", text),
    reference: field(charge, "reference", text),
    amount: field(charge, "amount", integer),
    captured: field(charge, "captured", integer),
    currency: field(charge, "currency", text),
    // A status that is not listed makes the reply unreadable, and the operation unknown: never a guess.
    status: field(charge, "status", oneOf("authorized", "captured", "pending", "declined")),
    decline: decline && readRefusal(decline),
    step: step && field(step, "kind", text),
  };
}

/** @param {Document} refund */
export function readRefund(refund) {
  return {
    id: field(refund, "id", text),
    charge: field(refund, "charge", text),
    reference: field(refund, "reference", text),
    amount: field(refund, "amount", integer),
    currency: field(refund, "currency", text),
    status: field(refund, "status", oneOf("succeeded", "pending", "declined")),
  };
}

/**
 * `networkCode` is what the card network said, where the gateway passes it on.
 *
 * @param {Document} refusal
 */
function readRefusal(refusal) {
  return {
    code: field(refusal, "code", text),
    message: optional(refusal, "message", text) ?? "",
    networkCode: networkCode(optional(refusal, "network_code", text)),
  };
}

/**
 * The charge that a reply carries; undefined where its status says that it carries none. 402 carries a declined one.
 *
 * @param {Response} reply
 */
export function chargeOf(reply) {
  return consistent(reply, readCharge);
}

/**
 * As {@link chargeOf}, for a refund.
 *
 * @param {Response} reply
 */
export function refundOf(reply) {
  return consistent(reply, readRefund);
}

/**
 * @template {{ status: string }} T
 * @param {Response} reply
 * @param {(document: Document) => T} read
 * @returns {T | undefined}
 */
function consistent(reply, read) {
  if (![200, 201, 402].includes(reply.status)) return undefined;
  const found = read(document(reply));
  if (reply.status === 402 && found.status !== "declined") {
    throw new Failure("the reply's status and body contradict each other");
  }
  return found;
}

/**
 * What a reply means that carries neither. What is final, the gateway says in words; and of 409 and 429 with the code
 * `not_processed` it promises that nothing happened. Everything else says nothing, so the outcome stays unknown.
 *
 * @param {Response} reply
 * @param {Host} host
 * @returns {Outcome}
 */
export function refused(reply, host) {
  if ([400, 401, 403, 404, 422].includes(reply.status)) {
    const { code, message } = errorOf(reply);
    return { tag: "declined", val: DECLINES.decline(code, message, host) };
  }
  if ([409, 429].includes(reply.status) && errorOf(reply).code === "not_processed") {
    return { tag: "not-processed", val: undefined };
  }
  throw new Failure("the gateway's status says nothing about what became of the request");
}

/**
 * Whether the gateway says, in words, that it knows no such thing. A 404 of something in between proves nothing.
 *
 * @param {Response} reply
 * @returns {boolean}
 */
export function isNotFound(reply) {
  if (reply.status !== 404) return false;
  try {
    return errorOf(reply).code === "not_found";
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

/** @param {Response} reply */
function errorOf(reply) {
  return readRefusal(field(document(reply), "error", object));
}

/**
 * What a charge says of the operation that made it.
 *
 * @param {Charge} charge
 * @param {Host} host
 * @returns {Outcome}
 */
export function chargeOutcome(charge, host) {
  const { id, currency } = charge;
  /** @type {Pairs} */
  const references = [[CHARGE, id]];
  switch (charge.status) {
    case "authorized":
      return { tag: "authorized", val: approval(id, { minorUnits: charge.amount, currency }, { references }) };
    case "captured":
      return { tag: "captured", val: approval(id, { minorUnits: charge.captured, currency }, { references }) };
    case "pending":
      return { tag: "pending", val: accepted(id, references) };
    case "declined":
      return declined(charge.decline ?? { code: "", message: "", networkCode: undefined }, id, references, host);
  }
}

/**
 * What a charge says of its capture.
 *
 * @param {Charge} charge
 * @param {Host} host
 * @returns {Outcome}
 */
export function captureOutcome(charge, host) {
  if (charge.status === "authorized") {
    throw new Failure("the charge has a status that does not follow from what was asked");
  }
  return chargeOutcome(charge, host);
}

/**
 * What a refund says of the operation that made it.
 *
 * @param {Refund} refund
 * @param {Host} host
 * @returns {Outcome}
 */
export function refundOutcome(refund, host) {
  /** @type {Pairs} */
  const references = [[CHARGE, refund.charge], ["refund", refund.id]];
  switch (refund.status) {
    case "succeeded": {
      const amount = { minorUnits: refund.amount, currency: refund.currency };
      return { tag: "refunded", val: approval(refund.id, amount, { references }) };
    }
    case "pending":
      return { tag: "pending", val: accepted(refund.id, references) };
    case "declined": {
      const message = "The gateway declined the refund.";
      return declined({ code: "refund_declined", message, networkCode: undefined }, refund.id, references, host);
    }
  }
}

/**
 * @param {Refusal} refusal
 * @param {string} gatewayReference
 * @param {Pairs} references
 * @param {Host} host
 * @returns {Outcome}
 */
function declined({ code, message, networkCode }, gatewayReference, references, host) {
  const decline = DECLINES.decline(code, message, host);
  return { tag: "declined", val: { ...decline, networkCode, gatewayReference, references } };
}
