/// <reference path="./interlock-connector-types.d.ts" />
declare module 'interlock:connector/sessions@0.3.0' {
  /**
   * For gateways that want a short-lived token (OAuth client credentials). None where they do not. The host sends the
   * request when a hole needs it, keeps the values, and opens a new session after a 401; the reply never gets here.
   */
  export function openSession(ctx: Context): Opening | undefined;
  export type Context = import('interlock:connector/types@0.3.0').Context;
  export type Request = import('interlock:connector/types@0.3.0').Request;
  /**
   * One value for the host to keep, encrypted, per gateway account: where it stands in the reply, and how long it
   * lives.
   */
  export interface Keep {
    /**
     * What `segment.session` calls it.
     */
    name: string,
    /**
     * JSON pointer into the reply: `/access_token`.
     */
    pointer: string,
    /**
     * JSON pointer to its lifetime in seconds: `/expires_in`.
     */
    lifetimePointer?: string,
    /**
     * Its lifetime in seconds where the reply does not say; at least 1.
     */
    lifetimeSeconds: number,
  }
  /**
   * How a session is opened.
   */
  export interface Opening {
    /**
     * Usually a POST with `basic-auth`.
     */
    request: Request,
    /**
     * 1 to 8 values.
     */
    keep: Array<Keep>,
  }
}
