/// <reference path="./interlock-connector-types.d.ts" />
declare module 'interlock:connector/webhooks@0.3.0' {
  /**
   * Reads a delivery. A failure refuses it: for what is forged, stale or unreadable.
   */
  export function receive(ctx: Context, inbound: Inbound): Delivery;
  export type Context = import('interlock:connector/types@0.3.0').Context;
  export type Outcome = import('interlock:connector/types@0.3.0').Outcome;
  export type Approval = import('interlock:connector/types@0.3.0').Approval;
  export type OperationKind = import('interlock:connector/types@0.3.0').OperationKind;
  export type Pairs = import('interlock:connector/types@0.3.0').Pairs;
  export type Response = import('interlock:connector/types@0.3.0').Response;
  export type Failure = import('interlock:connector/types@0.3.0').Failure;
  /**
   * A delivery as it came in.
   */
  export interface Inbound {
    /**
     * As the gateway spells them.
     */
    headers: Pairs,
    /**
     * What stands after the question mark, undecoded; empty where there is none.
     */
    query: string,
    /**
     * Byte for byte: signatures are made over this.
     */
    body: Uint8Array,
  }
  /**
   * What an event says.
   */
  export type EventKind = EventKindOutcome | EventKindApproved | EventKindNotice;
  /**
   * The outcome of one of our operations.
   */
  export interface EventKindOutcome {
    tag: 'outcome',
    val: [OperationKind, Outcome],
  }
  /**
   * The gateway approved a payment, and the event does not say whether the money is taken or only held (Adyen's
   * AUTHORISATION is the same for both). Taken, where our authorize asked for that; held, where it did not. Only
   * where the gateway says nothing more of a payment that is taken at once.
   */
  export interface EventKindApproved {
    tag: 'approved',
    val: Approval,
  }
  /**
   * Something else worth keeping and showing: dispute, report ready, account notice. The gateway's word for it.
   */
  export interface EventKindNotice {
    tag: 'notice',
    val: string,
  }
  /**
   * One event of a delivery.
   */
  export interface Event {
    /**
     * The gateway's own id of the event, 1 to 255 bytes: the host deduplicates on it.
     */
    id: string,
    /**
     * When it happened, by the gateway's clock: Unix time in milliseconds.
     */
    occurredAt?: bigint,
    /**
     * Which of our operations it speaks of, where the gateway echoes our id.
     */
    operationId?: string,
    /**
     * Which of the gateway's objects it speaks of, where it does not.
     */
    gatewayReference?: string,
    /**
     * As in `types.approval`.
     */
    references: Pairs,
    kind: EventKind,
    /**
     * What `signatures.verify` returned for it. Without one the event is not believed and only makes the host ask the
     * gateway. Leave it out where an event says only a part of what the host must know.
     */
    proof?: number,
  }
  /**
   * What a delivery holds.
   */
  export interface Delivery {
    /**
     * In the order in which the gateway lists them; none where it only says hello. At most 1000.
     */
    events: Array<Event>,
    /**
     * What the gateway wants to hear: usually 200 and no body.
     */
    acknowledgement: Response,
  }
}
