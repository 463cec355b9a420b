/** What the gateway tells of its own accord, signed. */

import { Failure, acknowledged, document, field, fromHex, header, integer, isRecent, object, text } from "./sdk/index.js";

import { captureOutcome, chargeOutcome, readCharge, readRefund, refundOutcome } from "./reply.js";

/** @import { Context } from "interlock:connector/types@0.3.0" */
/** @import { Delivery, Event, Inbound } from "interlock:connector/webhooks@0.3.0" */
/** @import { Host } from "./sdk/src/connector.js" */
/** @import { Document } from "./sdk/src/reply.js" */

/** How far a signature's time may lie from ours. */
const TOLERANCE_S = 300n;

/**
 * Reads a delivery. One that is unsigned, stale, forged or unreadable is refused as a whole.
 *
 * @param {Context} ctx
 * @param {Inbound} inbound
 * @param {Host} host
 * @returns {Delivery}
 */
export function receive(ctx, inbound, host) {
  const proof = prove(ctx, inbound, host);
  const event = document(inbound);
  return {
    events: [
      {
        id: field(event, "id", text),
        occurredAt: field(event, "created", integer) * 1000n,
        references: [],
        proof,
        ...told(event, host),
      },
    ],
    acknowledgement: acknowledged(),
  };
}

/**
 * What an event says, and of which operation.
 *
 * @param {Document} event
 * @param {Host} host
 * @returns {Pick<Event, "kind" | "operationId" | "gatewayReference">}
 */
function told(event, host) {
  const type = field(event, "type", text);
  switch (type) {
    case "charge.updated": {
      const charge = readCharge(field(event, "data", object));
      const names = { operationId: charge.reference, gatewayReference: charge.id };
      if (charge.step === undefined) {
        return { ...names, kind: { tag: "outcome", val: ["authorize", chargeOutcome(charge, host)] } };
      }
      if (charge.step === "capture") {
        return { ...names, kind: { tag: "outcome", val: ["capture", captureOutcome(charge, host)] } };
      }
      throw new Failure("the webhook speaks of a step that is not known");
    }
    case "refund.updated": {
      const refund = readRefund(field(event, "data", object));
      const names = { operationId: refund.reference, gatewayReference: refund.id };
      return { ...names, kind: { tag: "outcome", val: ["refund", refundOutcome(refund, host)] } };
    }
    // Worth keeping, and nothing that we asked for.
    default:
      return { kind: { tag: "notice", val: type } };
  }
}

/**
 * Checks `Mock-Signature: t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">`.
 *
 * @param {Context} ctx
 * @param {Inbound} inbound
 * @param {Host} host
 * @returns {number}
 */
function prove(ctx, inbound, host) {
  const signature = header(inbound, "mock-signature");
  if (signature === undefined) throw new Failure("the webhook is not signed");
  const parts = signature.split(",").map((part) => part.trim());
  const time = parts.find((part) => part.startsWith("t="))?.slice(2);
  const expected = fromHex(parts.find((part) => part.startsWith("v1="))?.slice(3) ?? "?");
  if (time === undefined || expected === undefined) throw new Failure("the webhook's signature cannot be read");
  if (!/^[0-9]{1,15}$/.test(time)) throw new Failure("the webhook's signature has no time");
  if (!isRecent(ctx, BigInt(time), TOLERANCE_S)) {
    throw new Failure("the webhook's signature is not of these minutes");
  }
  const signed = new Uint8Array(time.length + 1 + inbound.body.length);
  signed.set(Uint8Array.from(`${time}.`, (sign) => sign.charCodeAt(0)));
  signed.set(inbound.body, time.length + 1);
  const proof = host.verify("hmac-sha256", "webhook_secret", signed, expected);
  if (proof === undefined) throw new Failure("the webhook's signature does not fit");
  return proof;
}
