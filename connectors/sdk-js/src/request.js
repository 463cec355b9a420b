/** Building requests: headers, bodies and URLs, with holes where the host is to fill in what the connector must not see. */

import { Template, template } from "./template.js";

/** @import { Json } from "./json.js" */
/** @import { Body, Computed, Effect, Method, Operation, Pairs, Request, Segment } from "interlock:connector/types@0.3.0" */

/**
 * What a request may have besides its method and URL.
 *
 * @typedef {object} Options
 * @property {Record<string, string | Template>} [headers] Names in lower case. Those that frame the message (`host`,
 *   `content-length`, `connection` …) are the host's, and the body brings its own `content-type`.
 * @property {Body} [body] As {@link json}, {@link form} or {@link raw} make it.
 * @property {Computed[]} [computed] Values for the host to compute once everything else is filled in.
 * @property {Effect} [effect] What sending it can do at the gateway.
 * @property {boolean} [resendable] Whether the gateway promises that these very bytes again have no second effect.
 */

/**
 * A request that only reads, and may be sent again.
 *
 * @param {string} url
 * @param {Options} [options]
 * @returns {Request}
 */
export function get(url, options = {}) {
  return request("get", url, { effect: "reads", resendable: true, ...options });
}

/**
 * A request that moves money and may not be sent again, until `effect` and `resendable` say otherwise: what is safe where
 * nothing is said.
 *
 * @param {"post" | "put" | "patch" | "delete"} method
 * @param {string} url
 * @param {Options} [options]
 * @returns {Request}
 */
export function write(method, url, options = {}) {
  return request(method, url, { effect: "moves-money", resendable: false, ...options });
}

/**
 * @param {Method} method
 * @param {string} url
 * @param {Options & { effect: Effect, resendable: boolean }} options
 * @returns {Request}
 */
function request(method, url, { headers = {}, body = { tag: "empty" }, computed = [], effect, resendable }) {
  return { method, url, headers: fields(headers), body, computed, effect, resendable };
}

/**
 * The gateway's idempotency key for the operation's `nth` writing request, counted from 1: `<id>`, `<id>-2`, …
 *
 * @param {Operation} operation
 * @param {number} nth
 * @returns {string}
 */
export function idempotencyKey(operation, nth) {
  return nth > 1 ? `${operation.id}-${nth}` : operation.id;
}

/**
 * A JSON body.
 *
 * @param {Json} value
 * @returns {Body}
 */
export function json(value) {
  const writer = new JsonWriter();
  writer.value(value);
  return { tag: "json", val: writer.end() };
}

/**
 * A form, its fields in their order. The host encodes names and values, text and holes alike.
 *
 * @param {Record<string, string | bigint | Template | undefined>} values
 * @returns {Body}
 */
export function form(values) {
  return { tag: "form", val: fields(values) };
}

/**
 * A body of any other kind. Holes are filled as they are: escape nothing around them that they would need.
 *
 * @param {string} contentType
 * @param {string | Template} value
 * @returns {Body}
 */
export function raw(contentType, value) {
  return { tag: "raw", val: [contentType, template(value).segments] };
}

/**
 * @param {Record<string, string | bigint | Template | undefined>} values
 * @returns {[string, Segment[]][]}
 */
function fields(values) {
  /** @type {[string, Segment[]][]} */
  const written = [];
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) {
      written.push([name, template(typeof value === "bigint" ? value.toString() : value).segments]);
    }
  }
  return written;
}

/** The template so far: finished segments, and the text since the last hole. */
class JsonWriter {
  constructor() {
    /** @type {Segment[]} */
    this.done = [];
    this.text = "";
  }

  end() {
    this.done.push({ tag: "text", val: this.text });
    return this.done;
  }

  /** @param {Json} value */
  value(value) {
    if (value instanceof Template) {
      this.template(value);
    } else if (typeof value === "string") {
      this.text += `"${escaped(value)}"`;
    } else if (Array.isArray(value)) {
      this.list("[", "]", value, (item) => this.value(item));
    } else if (value !== null && typeof value === "object") {
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      this.list("{", "}", members, ([name, member]) => {
        this.text += `"${escaped(name)}":`;
        this.value(/** @type {Json} */ (member));
      });
    } else if (typeof value === "number" && !Number.isSafeInteger(value)) {
      throw new TypeError(`${value} is no whole number that JavaScript knows exactly; write it as bigint or string`);
    } else {
      this.text += String(value);
    }
  }

  /**
   * @template T
   * @param {string} open
   * @param {string} close
   * @param {T[]} items
   * @param {(item: T) => void} write
   */
  list(open, close, items, write) {
    this.text += open;
    items.forEach((item, at) => {
      if (at > 0) this.text += ",";
      write(item);
    });
    this.text += close;
  }

  /** @param {Template} value */
  template(value) {
    this.text += '"';
    for (const segment of value.segments) {
      if (segment.tag === "text") {
        this.text += escaped(segment.val);
      } else {
        this.done.push({ tag: "text", val: this.text }, segment);
        this.text = "";
      }
    }
    this.text += '"';
  }
}

/**
 * The inside of a JSON string, written as the SDKs of the other languages write it.
 *
 * @param {string} text
 */
function escaped(text) {
  return text.replace(/["\\\u0000-\u001f]/g, (sign) => {
    if (sign === '"' || sign === "\\") return `\\${sign}`;
    if (sign === "\n") return "\\n";
    return `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/**
 * `text` as one segment of a path: what a gateway's id becomes before it stands in a URL. Everything but the unreserved
 * characters of RFC 3986 is percent-encoded.
 *
 * @param {string} text
 * @returns {string}
 */
export function pathSegment(text) {
  const encoded = encodeURIComponent(text);
  return encoded.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * `url` with a query of the given names and values. The URL must have none yet.
 *
 * @param {string} url
 * @param {Record<string, string>} query
 * @returns {string}
 */
export function withQuery(url, query) {
  const pairs = Object.entries(query).map(([name, value]) => `${pathSegment(name)}=${pathSegment(value)}`);
  return pairs.length === 0 ? url : `${url}?${pairs.join("&")}`;
}
