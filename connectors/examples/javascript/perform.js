/** Operations: what is asked of the gateway, and which of its answers speaks of what was asked. */

import {
  Failure, get, hole, idempotencyKey, json, pathSegment, requiredReference, secret, template, url, withQuery, write,
} from "./sdk/index.js";

import { CHARGE, captureOutcome, chargeOf, chargeOutcome, isNotFound, refundOf, refundOutcome, refused } from "./reply.js";

/**
 * @import {
 *   Authorize, Capture, Context, Operation, Outcome, Refund, Response, Sync
 * } from "interlock:connector/types@0.3.0"
 */
/** @import { Host } from "./sdk/src/connector.js" */
/** @import { Json } from "./sdk/src/json.js" */

/**
 * @param {Context} ctx
 * @param {Operation} operation
 * @param {Host} host
 * @returns {Outcome}
 */
export function perform(ctx, operation, host) {
  const { action } = operation;
  switch (action.tag) {
    case "authorize":
      return authorize(ctx, operation, action.val, host);
    case "capture":
      return capture(ctx, operation, action.val, host);
    case "refund":
      return refund(ctx, operation, action.val, host);
    case "sync":
      return sync(ctx, action.val, host);
    default:
      throw new Failure("the gateway has no such operation");
  }
}

/**
 * @param {Context} ctx
 * @param {Operation} operation
 * @param {Authorize} authorize
 * @param {Host} host
 * @returns {Outcome}
 */
function authorize(ctx, operation, authorize, host) {
  if (authorize.method.tag !== "card") throw new Failure("the gateway takes cards alone");
  const reply = ask(ctx, operation, "/charges", host, {
    reference: operation.id,
    amount: authorize.amount.minorUnits,
    currency: authorize.amount.currency,
    capture: authorize.capture === "automatic",
    method: {
      type: "card",
      number: hole("card-number"),
      expiry_month: hole("card-expiry-month"),
      expiry_year: hole("card-expiry-year"),
      cvc: authorize.method.val.hasCvc ? hole("card-cvc") : undefined,
    },
    description: authorize.description,
  });
  const charge = about(chargeOf(reply), operation.id);
  return charge === undefined ? refused(reply, host) : chargeOutcome(charge, host);
}

/**
 * @param {Context} ctx
 * @param {Operation} operation
 * @param {Capture} capture
 * @param {Host} host
 * @returns {Outcome}
 */
function capture(ctx, operation, capture, host) {
  const id = requiredReference(operation, CHARGE);
  const reply = ask(ctx, operation, `/charges/${pathSegment(id)}/capture`, host, {
    reference: operation.id,
    amount: capture.amount.minorUnits,
    final: capture.isFinal,
  });
  const charge = about(chargeOf(reply), operation.id);
  return charge === undefined ? refused(reply, host) : captureOutcome(charge, host);
}

/**
 * @param {Context} ctx
 * @param {Operation} operation
 * @param {Refund} refund
 * @param {Host} host
 * @returns {Outcome}
 */
function refund(ctx, operation, refund, host) {
  const id = requiredReference(operation, CHARGE);
  const reply = ask(ctx, operation, `/charges/${pathSegment(id)}/refunds`, host, {
    reference: operation.id,
    amount: refund.amount.minorUnits,
    reason: refund.reason,
  });
  const refunded = about(refundOf(reply), operation.id);
  return refunded === undefined ? refused(reply, host) : refundOutcome(refunded, host);
}

/**
 * What became of an operation whose outcome is unknown: looked up by its id, which the gateway knows as `reference`.
 *
 * @param {Context} ctx
 * @param {Sync} sync
 * @param {Host} host
 * @returns {Outcome}
 */
function sync(ctx, sync, host) {
  const kind = sync.target.tag;
  if (kind === "complete" || kind === "cancel") throw new Failure("the gateway has no such operation");
  const base = url(ctx, "base_url", kind === "refund" ? "/refunds" : "/charges");
  const reply = host.exchange(get(withQuery(base, { reference: sync.targetId }), { headers: { authorization: bearer() } }));
  if (isNotFound(reply)) return { tag: "never-received" };
  if (kind === "refund") {
    const refund = about(refundOf(reply), sync.targetId);
    if (refund !== undefined) return refundOutcome(refund, host);
  } else {
    const charge = about(chargeOf(reply), sync.targetId);
    if (charge !== undefined) return kind === "capture" ? captureOutcome(charge, host) : chargeOutcome(charge, host);
  }
  // A refusal here refuses the question; it says nothing about the operation that was asked about.
  throw new Failure("the gateway refused the question");
}

/**
 * Has a writing request sent. No operation of this gateway writes twice, so every key is the operation's first. The
 * gateway promises that the same request under the same key has no second effect.
 *
 * @param {Context} ctx
 * @param {Operation} operation
 * @param {string} path
 * @param {Host} host
 * @param {Json} body
 * @returns {Response}
 */
function ask(ctx, operation, path, host, body) {
  const headers = { authorization: bearer(), "idempotency-key": idempotencyKey(operation, 1) };
  return host.exchange(write("post", url(ctx, "base_url", path), { headers, body: json(body), resendable: true }));
}

function bearer() {
  return template("Bearer ", secret("api_key"));
}

/**
 * A reply about another operation is somebody else's money.
 *
 * @template {{ reference: string }} T
 * @param {T | undefined} found
 * @param {string} operationId
 * @returns {T | undefined}
 */
function about(found, operationId) {
  if (found !== undefined && found.reference !== operationId) {
    throw new Failure("the reply speaks of another operation");
  }
  return found;
}
