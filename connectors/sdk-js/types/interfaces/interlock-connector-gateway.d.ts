/// <reference path="./interlock-connector-types.d.ts" />
declare module 'interlock:connector/gateway@0.3.0' {
  /**
   * Carries out one operation: asks with `egress.exchange`, reads the replies, says what they mean. Runs from its
   * start for every reply that comes in, so it must depend on nothing but its arguments and the replies.
   */
  export function perform(ctx: Context, operation: Operation): Outcome;
  export type Context = import('interlock:connector/types@0.3.0').Context;
  export type Operation = import('interlock:connector/types@0.3.0').Operation;
  export type Outcome = import('interlock:connector/types@0.3.0').Outcome;
  export type Failure = import('interlock:connector/types@0.3.0').Failure;
}
