/// <reference path="./interlock-connector-types.d.ts" />
declare module 'interlock:connector/settlement@0.3.0' {
  /**
   * Reads a whole file of the gateway. A failure where any of it cannot be read: some of the lines would look like all
   * of them.
   */
  export function read(ctx: Context, file: Uint8Array): Array<Line>;
  export type Context = import('interlock:connector/types@0.3.0').Context;
  export type SignedMoney = import('interlock:connector/types@0.3.0').SignedMoney;
  export type Failure = import('interlock:connector/types@0.3.0').Failure;
  /**
   * What a line is about.
   * # Variants
   * 
   * ## `"payment"`
   * 
   * Taken from a customer.
   * ## `"refund"`
   * 
   * Given back to a customer.
   * ## `"fee"`
   * 
   * Kept by the gateway, on its own.
   * ## `"chargeback"`
   * 
   * Taken back by an issuer.
   * ## `"adjustment"`
   * 
   * Anything else: corrections, reserves.
   */
  export type LineKind = 'payment' | 'refund' | 'fee' | 'chargeback' | 'adjustment';
  /**
   * One line of a file.
   */
  export interface Line {
    kind: LineKind,
    /**
     * The gateway's reference for what the line is about.
     */
    gatewayReference: string,
    /**
     * Our operation's id, where the file has it.
     */
    operationId?: string,
    /**
     * What moved, seen from the merchant: above zero for what comes in.
     */
    gross: SignedMoney,
    /**
     * What the gateway kept of it; above zero for what it costs.
     */
    fee: SignedMoney,
    /**
     * `2030-01-31`
     */
    settledOn: string,
  }
}
