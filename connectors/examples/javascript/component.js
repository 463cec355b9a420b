/** What the component exports: the contract's five interfaces, in terms of the connector. */

import { component } from "./sdk/src/component.js";

import { gateway as connector } from "./gateway.js";

export const { description, gateway, sessions, webhooks, settlement } = component(connector);
