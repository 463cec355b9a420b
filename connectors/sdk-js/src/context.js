/** What a call is given besides its operation: settings, references, time. */

import { Failure } from "./failure.js";

/** @import { Context, Operation, Pairs } from "interlock:connector/types@0.3.0" */

/**
 * The last value of that name: later outcomes are merged after earlier ones.
 *
 * @param {Pairs} pairs
 * @param {string} name
 */
function find(pairs, name) {
  return pairs.findLast(([known]) => known === name)?.[1];
}

/**
 * The value of a public setting; undefined where the account leaves it open and the descriptor has no default.
 *
 * @param {Context} ctx
 * @param {string} name
 * @returns {string | undefined}
 */
export function setting(ctx, name) {
  return find(ctx.settings, name);
}

/**
 * The value of a setting that the descriptor declares as required.
 *
 * @param {Context} ctx
 * @param {string} name
 * @returns {string}
 */
export function requiredSetting(ctx, name) {
  const value = setting(ctx, name);
  if (value === undefined) throw new Failure(`the account has no setting ${name}`);
  return value;
}

/**
 * The setting `name`, a base URL, followed by `path` (which begins with a slash), with one slash in between.
 *
 * @param {Context} ctx
 * @param {string} name
 * @param {string} path
 * @returns {string}
 */
export function url(ctx, name, path) {
  return requiredSetting(ctx, name).replace(/\/+$/, "") + path;
}

/**
 * Whether the Unix time `seconds` lies no further from the moment of the call than `toleranceSeconds`, in either
 * direction: how old a webhook may be, and how far the clocks may differ.
 *
 * @param {Context} ctx
 * @param {bigint} seconds
 * @param {bigint} toleranceSeconds
 * @returns {boolean}
 */
export function isRecent(ctx, seconds, toleranceSeconds) {
  const apart = ctx.now / 1000n - seconds;
  return (apart < 0n ? -apart : apart) <= toleranceSeconds;
}

/**
 * A reference that an earlier outcome of the attempt returned, by the connector's own name for it.
 *
 * @param {Operation} operation
 * @param {string} name
 * @returns {string | undefined}
 */
export function reference(operation, name) {
  return find(operation.references, name);
}

/**
 * As {@link reference}, where the operation makes no sense without it.
 *
 * @param {Operation} operation
 * @param {string} name
 * @returns {string}
 */
export function requiredReference(operation, name) {
  const value = reference(operation, name);
  if (value === undefined) throw new Failure(`no earlier outcome gave the reference ${name}`);
  return value;
}
