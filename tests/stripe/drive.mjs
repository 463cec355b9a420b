/** Drives Stripe's API at the base URL given, with Stripe's own library for JavaScript; ends at the first surprise. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";

const [baseUrl, apiKey] = process.argv.slice(2);
const Stripe = createRequire(`${process.cwd()}/`)("stripe");
const { hostname, port } = new URL(baseUrl);
const stripe = new Stripe(apiKey, { host: hostname, port, protocol: "http", maxNetworkRetries: 0 });

const card = { payment_method: "pm_card_visa", allowed_payment_method_types: ["card"] };
const pay = (amount, more = {}, options = {}) =>
  stripe.paymentIntents.create({ amount, currency: "usd", confirm: true, ...card, ...more }, options);
const refused = async (type, code, call) => {
  const error = await call().then(() => assert.fail(`${code} was expected`), (error) => error);
  assert.deepEqual([error.type, error.code], [type, code], String(error));
  return error;
};
const all = async (list) => {
  const items = [];
  for await (const item of list) items.push(item);
  return items;
};

// Created, confirmed, captured in part, refunded in two parts, listed page by page.
const made = await stripe.paymentIntents.create({ amount: 2000, currency: "usd", capture_method: "manual", ...card });
assert.deepEqual([made.status, made.latest_charge], ["requires_confirmation", null]);
let held = await stripe.paymentIntents.confirm(made.id, { expand: ["latest_charge"] });
assert.deepEqual([held.status, held.amount_capturable, held.latest_charge.captured], ["requires_capture", 2000, false]);
const taken = await stripe.paymentIntents.capture(made.id, { amount_to_capture: 1500, metadata: { parcel: "1" } });
assert.deepEqual([taken.status, taken.amount_received, taken.metadata.parcel], ["succeeded", 1500, "1"]);
for (const amount of [500, 1000]) {
  const refund = await stripe.refunds.create({ payment_intent: made.id, amount, metadata: { of: made.id } });
  assert.deepEqual([refund.status, refund.amount, refund.payment_intent], ["succeeded", amount, made.id]);
  assert.equal((await stripe.refunds.retrieve(refund.id)).metadata.of, made.id);
}
const refunds = await all(stripe.refunds.list({ payment_intent: made.id, limit: 1 }));
assert.deepEqual(refunds.map((refund) => refund.amount), [1000, 500]);
await refused("StripeInvalidRequestError", "charge_already_refunded", () =>
  stripe.refunds.create({ payment_intent: made.id }));

// Captured several times, and the rest released.
const several = await pay(1000, {
  capture_method: "manual",
  payment_method_options: { card: { request_multicapture: "if_available" } },
});
const part = await stripe.paymentIntents.capture(several.id, { amount_to_capture: 300, final_capture: false });
assert.deepEqual([part.status, part.amount_capturable, part.amount_received], ["requires_capture", 700, 300]);
const rest = await stripe.paymentIntents.capture(several.id, { amount_to_capture: 0, final_capture: true });
assert.deepEqual([rest.status, rest.amount_capturable, rest.amount_received], ["succeeded", 0, 300]);

// Called off, and too late for that.
held = await pay(1000, { capture_method: "manual" });
const gone = await stripe.paymentIntents.cancel(held.id, { cancellation_reason: "abandoned" });
assert.deepEqual([gone.status, gone.cancellation_reason], ["canceled", "abandoned"]);
const paid = await pay(1000);
const late = await refused("StripeInvalidRequestError", "payment_intent_unexpected_state", () =>
  stripe.paymentIntents.cancel(paid.id));
assert.equal(late.payment_intent.status, "succeeded");

// A key is answered as the first time, and belongs to one request.
const key = { idempotencyKey: `key-of-${made.id}` };
const [first, again] = [await pay(700, {}, key), await pay(700, {}, key)];
assert.equal(first.id, again.id);
assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
await refused("StripeIdempotencyError", undefined, () => pay(701, {}, key));

// Declined, challenged, not understood, unknown.
const no = await refused("StripeCardError", "card_declined", () =>
  pay(1000, { payment_method: "pm_card_chargeDeclinedInsufficientFunds" }));
assert.deepEqual([no.decline_code, no.raw.network_decline_code], ["insufficient_funds", "51"]);
assert.equal((await stripe.paymentIntents.retrieve(no.payment_intent.id)).status, "requires_payment_method");
const asked = await pay(1000, {
  payment_method: "pm_card_threeDSecure2Required",
  return_url: "https://shop.example/back",
});
assert.equal(asked.status, "requires_action");
assert.match(asked.next_action.redirect_to_url.url, /^http/);
await refused("StripeInvalidRequestError", "parameter_unknown", () => pay(1000, { colour: "red" }));
await refused("StripeInvalidRequestError", "payment_method_types_no_longer_supported", () =>
  pay(1000, { payment_method_types: ["card"] }));
await refused("StripeInvalidRequestError", "resource_missing", () => stripe.paymentIntents.retrieve("pi_nobody"));

// All of them, page by page; and one found by its metadata, once the search has caught up.
const ids = (await all(stripe.paymentIntents.list({ limit: 2 }))).map((intent) => intent.id);
assert.deepEqual([ids.length, new Set(ids).size], [7, 7]);
const noted = await pay(900, { metadata: { order: `order of ${made.id}` } });
const query = `metadata['order']:'order of ${made.id}'`;
const deadline = Date.now() + 30_000;
let found = [];
while (found.length === 0) {
  assert.ok(Date.now() < deadline, "the search never found it");
  await pause(200);
  found = (await stripe.paymentIntents.search({ query })).data;
}
assert.deepEqual(found.map((intent) => intent.id), [noted.id]);
