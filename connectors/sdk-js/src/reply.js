/**
 * Reading what the gateway said. What cannot be read is a {@link Failure}, never a guess, and quotes nothing of the
 * reply: it may hold a customer's data.
 */

import { Failure } from "./failure.js";

/** @import { Pairs, Response } from "interlock:connector/types@0.3.0" */

/**
 * A JSON object that was read.
 *
 * @typedef {{ [name: string]: unknown }} Document
 */

/**
 * Whether the status is one of 200 to 299.
 *
 * @param {Response} response
 * @returns {boolean}
 */
export function isSuccess(response) {
  return response.status >= 200 && response.status < 300;
}

/**
 * The first header of that name, capitals or not, of a reply or of a webhook.
 *
 * @param {{ headers: Pairs }} message
 * @param {string} name in lower case
 * @returns {string | undefined}
 */
export function header(message, name) {
  return message.headers.find(([known]) => known.toLowerCase() === name)?.[1];
}

/**
 * The body as text; a failure where it is no UTF-8.
 *
 * @param {{ body: Uint8Array }} message
 * @returns {string}
 */
export function body(message) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(message.body);
  } catch {
    throw new Failure("a body is no text");
  }
}

/**
 * The body as a JSON object.
 *
 * @param {{ body: Uint8Array }} message
 * @returns {Document}
 */
export function document(message) {
  const read = body(message);
  let value;
  try {
    value = JSON.parse(read);
  } catch {
    throw new Failure("a body is no JSON");
  }
  if (!isObject(value)) throw new Failure("a body is no JSON object");
  return value;
}

/**
 * @param {unknown} value
 * @returns {value is Document}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The member `name` as `read` reads it; a failure that names it where it is missing, null or something else.
 *
 * @template T
 * @param {Document} document
 * @param {string} name
 * @param {(value: unknown) => T | undefined} read one of {@link text}, {@link integer}, {@link object}, {@link array},
 *   {@link oneOf}
 * @returns {T}
 */
export function field(document, name, read) {
  const value = optional(document, name, read);
  if (value === undefined) throw new Failure(`a reply has no readable member ${name}`);
  return value;
}

/**
 * As {@link field}; undefined where the member is missing or null.
 *
 * @template T
 * @param {Document} document
 * @param {string} name
 * @param {(value: unknown) => T | undefined} read
 * @returns {T | undefined}
 */
export function optional(document, name, read) {
  // Not what every object inherits.
  const value = Object.hasOwn(document, name) ? document[name] : undefined;
  if (value === undefined || value === null) return undefined;
  const known = read(value);
  if (known === undefined) throw new Failure(`a reply has no readable member ${name}`);
  return known;
}

/**
 * Reads a text.
 *
 * @param {unknown} value
 * @returns {string | undefined}
 */
export function text(value) {
  return typeof value === "string" ? value : undefined;
}

/**
 * Reads a whole number that is not below zero, an amount in minor units. Beyond 2^53 JavaScript reads another number
 * than the gateway wrote: such a one is not readable.
 *
 * @param {unknown} value
 * @returns {bigint | undefined}
 */
export function integer(value) {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
}

/**
 * Reads an object.
 *
 * @param {unknown} value
 * @returns {Document | undefined}
 */
export function object(value) {
  return isObject(value) ? value : undefined;
}

/**
 * Reads an array.
 *
 * @param {unknown} value
 * @returns {unknown[] | undefined}
 */
export function array(value) {
  return Array.isArray(value) ? value : undefined;
}

/**
 * Reads one of the known words: an unknown one is never guessed at.
 *
 * @template {string} Word
 * @param {...Word} words
 * @returns {(value: unknown) => Word | undefined}
 */
export function oneOf(...words) {
  return (value) => words.find((word) => word === value);
}
