/** What a connector is, and what it may call. */

/** @import { Context, Failure, Mac, Operation, Outcome, Request, Response } from "interlock:connector/types@0.3.0" */
/** @import { Descriptor } from "interlock:connector/description@0.3.0" */
/** @import { Level } from "interlock:connector/log@0.3.0" */
/** @import { Opening } from "interlock:connector/sessions@0.3.0" */
/** @import { Line } from "interlock:connector/settlement@0.3.0" */
/** @import { Delivery, Inbound } from "interlock:connector/webhooks@0.3.0" */

/**
 * What a connector may call. In a component it is the sandbox's imports, in tests whatever the test hands over.
 *
 * @typedef {object} Host
 * @property {(request: Request) => Response} exchange Has a request sent and gives the gateway's reply, whatever its
 *   status. Looks like a call that blocks; in fact the run may end here and begin again once the reply is there, which
 *   is why a connector must be pure.
 * @property {(mac: Mac, secret: string, data: Uint8Array, expected: Uint8Array) => number | undefined} verify Checks
 *   `expected` against the MAC of `data` under the named secret. A number that proves it, for an event's `proof`.
 * @property {(level: Level, message: string) => void} log Leaves a line in the host's log. No place for personal data.
 */

/**
 * A gateway's translator. It holds nothing between calls: every call gets all it may depend on, and the host throws the
 * instance away after each. The functions must be pure, and the host checks that.
 *
 * @typedef {object} Connector
 * @property {() => Descriptor} describe What the connector is and what it may do; the host holds it to that.
 * @property {(ctx: Context, operation: Operation, host: Host) => Outcome} perform Carries out one operation. A thrown
 *   {@link Failure} says that the gateway's words make no sense; the host then treats the operation as unknown.
 * @property {(ctx: Context, inbound: Inbound, host: Host) => Delivery} receive Reads a webhook. A thrown
 *   {@link Failure} refuses the delivery.
 * @property {(ctx: Context) => Opening | undefined} [openSession] For gateways that want a short-lived token.
 * @property {(ctx: Context, file: Uint8Array) => Line[]} [settlement] Reads a settlement file.
 */

export {};
