/// <reference path="./interlock-connector-types.d.ts" />
declare module 'interlock:connector/egress@0.3.0' {
  /**
   * Has a request sent and gives the gateway's reply.
   * 
   * Looks like a call that blocks. The host answers from the operation's transcript; at the first request that the
   * transcript does not hold, the run ends there, the request is written down and sent, and a fresh instance runs the
   * operation again with the longer transcript. A request that differs from the one written down ends the operation
   * as diverged. Every complete reply comes back here, whatever its status; transport failures never do: what they
   * mean is the host's to decide.
   * 
   * Only in `gateway.perform`, and at most 8 times per operation.
   */
  export function exchange(request: Request): Response;
  export type Request = import('interlock:connector/types@0.3.0').Request;
  export type Response = import('interlock:connector/types@0.3.0').Response;
}
