/**
 * What connectors in JavaScript and TypeScript share.
 *
 * A connector is an object with the functions of {@link Connector}. They are straight-line code without clock, random
 * numbers, I/O or secrets: they ask the host to send a request, read the reply, and say what it means. Where a secret or
 * a card number belongs, they leave a hole that the host fills after the request has left the sandbox.
 *
 * The contract is `wit/connector.wit`; `types/` has it in TypeScript, in the form in which the values arrive: records as
 * objects with names in `camelCase`, variants as `{ tag, val }`, enums as strings, `u64` and `s64` as `bigint`, bytes as
 * `Uint8Array`, and what may be missing as `undefined`.
 *
 * This file can be imported by Node.js too, for tests. What only a component has is in `src/component.js`.
 */

export { isRecent, reference, requiredReference, requiredSetting, setting, url } from "./src/context.js";
export { DeclineTable } from "./src/decline.js";
export { Failure } from "./src/failure.js";
export { exponent, fromDecimal, fromSignedDecimal, toDecimal } from "./src/money.js";
export { accepted, approval, networkCode } from "./src/outcome.js";
export { array, document, field, integer, object, optional, oneOf, text } from "./src/reply.js";
export { body, header, isSuccess } from "./src/reply.js";
export { basicAuth, computed, hole, secret, session, Template, template } from "./src/template.js";
export { form, get, idempotencyKey, json, pathSegment, raw, withQuery, write } from "./src/request.js";
export { acknowledged, fromBase64, fromHex } from "./src/webhook.js";
