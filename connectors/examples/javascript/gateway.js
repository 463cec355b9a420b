/**
 * A small connector: cards at a JSON gateway, the one that `interlock dev` simulates.
 *
 * Begin your own here: `descriptor.js` says what the connector may do, `perform.js` translates operations, `reply.js`
 * reads what the gateway answers, `webhook.js` what it tells of its own accord. `component.js` makes a component of it.
 */

import { descriptor } from "./descriptor.js";
import { perform } from "./perform.js";
import { receive } from "./webhook.js";

/** @type {import("./sdk/src/connector.js").Connector} */
export const gateway = {
  describe: () => descriptor,
  perform,
  receive,
};
