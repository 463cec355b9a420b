/** Makes a component of a connector: what the contract wants exported, in terms of what the sandbox has to call. */

import { exchange } from "interlock:connector/egress@0.3.0";
import { write } from "interlock:connector/log@0.3.0";
import { verify } from "interlock:connector/signatures@0.3.0";

/** @import { Connector, Host } from "./connector.js" */
/** @import { Context, Operation } from "interlock:connector/types@0.3.0" */
/** @import { Inbound } from "interlock:connector/webhooks@0.3.0" */

/** @type {Host} */
const host = { exchange, verify, log: write };

/**
 * The contract's exports, by their names:
 *
 * ```js
 * export const { description, gateway, sessions, webhooks, settlement } = component(connector);
 * ```
 *
 * @param {Connector} connector
 */
export function component(connector) {
  return {
    description: { describe: () => connector.describe() },
    gateway: {
      /** @type {(ctx: Context, operation: Operation) => ReturnType<Connector["perform"]>} */
      perform: (ctx, operation) => connector.perform(ctx, operation, host),
    },
    sessions: {
      /** @type {(ctx: Context) => ReturnType<NonNullable<Connector["openSession"]>>} */
      openSession: (ctx) => connector.openSession?.(ctx),
    },
    webhooks: {
      /** @type {(ctx: Context, inbound: Inbound) => ReturnType<Connector["receive"]>} */
      receive: (ctx, inbound) => connector.receive(ctx, inbound, host),
    },
    settlement: {
      /** @type {(ctx: Context, file: Uint8Array) => ReturnType<NonNullable<Connector["settlement"]>>} */
      read: (ctx, file) => connector.settlement?.(ctx, file) ?? [],
    },
  };
}
