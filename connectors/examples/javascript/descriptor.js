/** What the connector says of itself. The operator approves it, and the host holds the connector to it. */

/** @import { Descriptor, OperationRules, Placement, Resolution, Setting } from "interlock:connector/description@0.3.0" */
/** @import { Method, OperationKind } from "interlock:connector/types@0.3.0" */

/** The gateway as its account names it. */
const ORIGIN = "setting:base_url";
/** How long the gateway remembers an idempotency key: a day. */
const KEY_WINDOW_S = 86_400;
/** After this long, what the gateway has not heard of is not on its way any more. */
const LOOKUP_SETTLES_S = 30;
/** The longest that something stays pending: a day. */
const PENDING_S = 86_400;

/** @type {Resolution[]} */
const WRITES = [
  { tag: "resend", val: KEY_WINDOW_S },
  { tag: "find-by-operation-id", val: LOOKUP_SETTLES_S },
  { tag: "await-webhook" },
];

/** @type {Descriptor} */
export const descriptor = {
  name: "tiny-javascript",
  version: "0.1.0",
  displayName: "Tiny Javascript",
  methods: ["card"],
  currencies: [],
  origins: [ORIGIN],
  settings: [
    setting("base_url", "url", true, "Where the gateway is."),
    setting("api_key", "secret", true, "The gateway's API key."),
    setting("webhook_secret", "secret", false, "What the gateway signs webhooks with."),
  ],
  placements: [
    placement("secret:api_key", "get", "header", "authorization"),
    placement("secret:api_key", "post", "header", "authorization"),
    placement("card-number", "post", "json-string", "/method/number"),
    placement("card-expiry-month", "post", "json-string", "/method/expiry_month"),
    placement("card-expiry-year", "post", "json-string", "/method/expiry_year"),
    placement("card-cvc", "post", "json-string", "/method/cvc"),
  ],
  operations: [rules("authorize", WRITES), rules("capture", WRITES), rules("refund", WRITES), rules("sync", [])],
  features: { partialCapture: false, multipleCapture: false, partialRefund: true, cancel: false },
};

/**
 * @param {string} name
 * @param {Setting["kind"]} kind
 * @param {boolean} required
 * @param {string} help
 * @returns {Setting}
 */
function setting(name, kind, required, help) {
  return { name, kind, keyEncoding: "utf8", required, help, identity: kind === "url" };
}

/**
 * @param {string} hole
 * @param {Method} method
 * @param {Placement["location"]} location
 * @param {string} name
 * @returns {Placement}
 */
function placement(hole, method, location, name) {
  return { hole, method, origin: ORIGIN, pathPrefix: "/", location, name };
}

/**
 * @param {OperationKind} kind
 * @param {Resolution[]} resolutions
 * @returns {OperationRules}
 */
function rules(kind, resolutions) {
  return { kind, resolutions, settlesWithinSeconds: PENDING_S };
}
