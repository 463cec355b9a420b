/// <reference path="./interlock-connector-types.d.ts" />
declare module 'interlock:connector/signatures@0.3.0' {
  /**
   * Whether `expected` is the MAC of `data` under the secret of that name, in constant time, against every live
   * version of it. A number that proves it, for `event.proof`, or none where it does not fit or there is no such
   * secret. The answer is part of the transcript. One proof vouches for one event, unless `data` held the whole body.
   */
  export function verify(mac: Mac, secret: string, data: Uint8Array, expected: Uint8Array): number | undefined;
  export type Mac = import('interlock:connector/types@0.3.0').Mac;
}
