/** The JavaScript SDK against the vectors that all SDKs share; run by tests/black_box/languages.rs. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  DeclineTable, Failure, basicAuth, document, exponent, field, form, fromBase64, fromDecimal, fromHex,
  fromSignedDecimal, get, hole, idempotencyKey, integer, isRecent, json, networkCode, oneOf, optional, pathSegment, raw,
  reference, requiredReference, secret, template, text, toDecimal, url, withQuery, write,
} from "../../connectors/sdk-js/index.js";

const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8"));
const hex = (bytes) => (bytes === undefined ? null : Buffer.from(bytes).toString("hex"));
const words = (value) => (value === undefined ? null : String(value));

test("money", () => {
  for (const [currency, decimals] of vectors.exponents) assert.equal(exponent(currency) ?? null, decimals, currency);
  for (const [units, decimals, written] of vectors.to_decimal) assert.equal(toDecimal(BigInt(units), decimals), written);
  for (const [given, decimals, units] of vectors.from_decimal) {
    assert.equal(words(fromDecimal(given, decimals)), units, given);
  }
  for (const [given, decimals, units] of vectors.from_signed_decimal) {
    assert.equal(words(fromSignedDecimal(given, decimals)), units, given);
  }
});

test("encodings", () => {
  for (const [given, bytes] of vectors.hex) assert.equal(hex(fromHex(given)), bytes, given);
  for (const [given, bytes] of vectors.base64) assert.equal(hex(fromBase64(given)), bytes, given);
  for (const [given, segment] of vectors.path_segments) assert.equal(pathSegment(given), segment);
  assert.equal(withQuery("https://x/y", { "a&b": "c=d", e: "f" }), "https://x/y?a%26b=c%3Dd&e=f");
  assert.equal(withQuery("https://x/y", {}), "https://x/y");
});

test("context", () => {
  const ctx = { settings: [["base_url", "https://x/v1//"]], now: 1_000_000_999n, nonce: new Uint8Array() };
  for (const [seconds, recent] of vectors.recent) assert.equal(isRecent(ctx, BigInt(seconds), 300n), recent, seconds);
  assert.equal(url(ctx, "base_url", "/charges"), "https://x/v1/charges");
  assert.throws(() => url(ctx, "other", "/"), new Failure("the account has no setting other"));
  const operation = { id: "op_1", paymentId: "pay_1", references: [["a", "1"], ["a", "2"]], action: undefined };
  assert.equal(reference(operation, "a"), "2");
  assert.throws(() => requiredReference(operation, "b"), Failure);
  assert.deepEqual([1, 2, 12].map((nth) => idempotencyKey(operation, nth)), ["op_1", "op_1-2", "op_1-12"]);
});

test("bodies", () => {
  const nasty = '"\\\n\t\r\u0000\u007fé\u2028😀</script>';
  const body = json({
    a: nasty,
    b: [1, true, { c: template("x", hole("card-number"), '"') }],
    d: 2n ** 64n - 1n,
    e: undefined,
    f: {},
  });
  assert.equal(body.val.map((segment) => (segment.tag === "text" ? segment.val : "|hole|")).join(""), vectors.json);
  assert.throws(() => json(0.1), TypeError);
  assert.throws(() => json(2 ** 53), TypeError);
  assert.deepEqual(form({ amount: 5n, none: undefined, key: secret("api_key") }), {
    tag: "form",
    val: [["amount", [{ tag: "text", val: "5" }]], ["key", [{ tag: "secret", val: "api_key" }]]],
  });
  assert.deepEqual(raw("text/xml", "<a/>").val, ["text/xml", [{ tag: "text", val: "<a/>" }]]);
  const request = get("https://x/", { headers: { authorization: template("Basic ", basicAuth("user", "")) } });
  assert.deepEqual([request.effect, request.resendable, request.body.tag], ["reads", true, "empty"]);
  const writing = write("post", "https://x/");
  assert.deepEqual([writing.effect, writing.resendable], ["moves-money", false]);
});

test("replies", () => {
  const reply = (body) => document({ body: new TextEncoder().encode(body) });
  const read = reply('{"id":"ch_1","amount":1250,"big":9007199254740993,"half":0.5,"none":null,"status":"paid"}');
  assert.equal(field(read, "id", text), "ch_1");
  assert.equal(field(read, "amount", integer), 1250n);
  assert.equal(optional(read, "none", text), undefined);
  assert.equal(optional(read, "toString", text), undefined);
  assert.equal(field(read, "status", oneOf("paid", "refused")), "paid");
  for (const name of ["big", "half", "none", "missing", "id"]) {
    assert.throws(() => field(read, name, integer), new Failure(`a reply has no readable member ${name}`));
  }
  assert.throws(() => field(read, "status", oneOf("refused")), Failure);
  for (const body of ["", "<html>", "[]", "null", '"x"', "{} x"]) assert.throws(() => reply(body), Failure, body);
  assert.throws(() => document({ body: Uint8Array.of(0xff) }), new Failure("a body is no text"));
});

test("a decline code that no table has is told, and never tried again", () => {
  const said = [];
  const host = { log: (level, message) => said.push([level, message]) };
  const table = new DeclineTable({ broke: ["insufficient-funds", "other-gateway"] });
  const known = table.decline("broke", "No.", host);
  assert.deepEqual([known.code, known.advice, said.length], ["insufficient-funds", "other-gateway", 0]);
  for (const word of ["new_word", "toString"]) {
    const unknown = table.decline(word, "No.", host);
    assert.deepEqual([unknown.code, unknown.advice, unknown.gatewayCode], ["other", "never", word]);
  }
  assert.deepEqual(said[0], ["warn", "the decline code new_word is in no table"]);
});

test("a network's code is kept where the contract has room for it", () => {
  for (const code of ["51", "05 : Do not honor", "x".repeat(64)]) assert.equal(networkCode(code), code);
  for (const code of [undefined, "", "5\n1", "51\n", "é", "x".repeat(65)]) assert.equal(networkCode(code), undefined, code);
});
