/** Reading webhooks: the encodings that signatures come in, and the answer to the gateway. */

/** @import { Response } from "interlock:connector/types@0.3.0" */

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * What most gateways want to hear: 200 and nothing else.
 *
 * @returns {Response}
 */
export function acknowledged() {
  return { status: 200, headers: [], body: new Uint8Array() };
}

/**
 * The bytes that pairs of hexadecimal digits stand for, capitals or not; undefined for anything else.
 *
 * @param {string} text
 * @returns {Uint8Array | undefined}
 */
export function fromHex(text) {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => parseInt(text.slice(at * 2, at * 2 + 2), 16));
}

/**
 * The bytes that base64 stands for, in the common or the URL alphabet, with its padding or without; undefined for
 * anything else, and where the last character carries bits that mean nothing (two spellings of one signature).
 *
 * @param {string} text
 * @returns {Uint8Array | undefined}
 */
export function fromBase64(text) {
  const bare = text.replace(/={1,2}$/, "");
  const isPadded = bare.length < text.length;
  if (bare.length % 4 === 1 || (isPadded && text.length % 4 !== 0)) return undefined;
  const bytes = [];
  let bits = 0;
  let count = 0;
  for (const sign of bare.replaceAll("-", "+").replaceAll("_", "/")) {
    const value = BASE64.indexOf(sign);
    if (value < 0) return undefined;
    bits = (bits << 6) | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push((bits >> count) & 0xff);
      bits &= (1 << count) - 1;
    }
  }
  return bits === 0 ? Uint8Array.from(bytes) : undefined;
}
