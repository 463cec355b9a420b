/** Checks webhooks (a JSON list of signature and body on standard input) with Stripe's own library for JavaScript. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [secret] = process.argv.slice(2);
const Stripe = createRequire(`${process.cwd()}/`)("stripe");
const { webhooks } = new Stripe("sk_test_unused");

for (const [signature, body] of JSON.parse(readFileSync(0, "utf8"))) {
  const event = webhooks.constructEvent(body, signature, secret);
  assert.equal(event.type, JSON.parse(body).type);
  assert.ok(event.data.object.id);
  const forged = body.replace('"livemode":false', '"livemode":true');
  assert.throws(() => webhooks.constructEvent(forged, signature, secret), { type: "StripeSignatureVerificationError" });
  assert.throws(() => webhooks.constructEvent(body, signature, "whsec_other"), {
    type: "StripeSignatureVerificationError",
  });
}
