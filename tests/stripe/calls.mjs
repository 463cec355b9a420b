/** Makes the calls of calls.json with Stripe's own library for JavaScript, one after the other, at the base URL given. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [calls, baseUrl, apiKey, idempotencyKey] = process.argv.slice(2);
// The library lies where the tests' tools are, and not beside this file.
const Stripe = createRequire(`${process.cwd()}/`)("stripe");
const { hostname, port } = new URL(baseUrl);
const stripe = new Stripe(apiKey, { host: hostname, port, protocol: "http", maxNetworkRetries: 0 });

const camelCase = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
for (const { call, id, account, params } of JSON.parse(readFileSync(calls, "utf8"))) {
  const [resource, verb] = call.split(".");
  const options = account ? { stripeAccount: account } : {};
  if (!["retrieve", "list", "search"].includes(verb)) options.idempotencyKey = idempotencyKey;
  await stripe[camelCase(resource)][verb](...(id ? [id] : []), params, options);
}
