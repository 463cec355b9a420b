/// <reference path="./interfaces/interlock-connector-description.d.ts" />
/// <reference path="./interfaces/interlock-connector-egress.d.ts" />
/// <reference path="./interfaces/interlock-connector-gateway.d.ts" />
/// <reference path="./interfaces/interlock-connector-log.d.ts" />
/// <reference path="./interfaces/interlock-connector-sessions.d.ts" />
/// <reference path="./interfaces/interlock-connector-settlement.d.ts" />
/// <reference path="./interfaces/interlock-connector-signatures.d.ts" />
/// <reference path="./interfaces/interlock-connector-types.d.ts" />
/// <reference path="./interfaces/interlock-connector-webhooks.d.ts" />
declare module 'interlock:connector/connector@0.3.0' {
  export type * as InterlockConnectorEgress030 from 'interlock:connector/egress@0.3.0'; // import interlock:connector/egress@0.3.0
  export type * as InterlockConnectorLog030 from 'interlock:connector/log@0.3.0'; // import interlock:connector/log@0.3.0
  export type * as InterlockConnectorSignatures030 from 'interlock:connector/signatures@0.3.0'; // import interlock:connector/signatures@0.3.0
  export type * as InterlockConnectorTypes030 from 'interlock:connector/types@0.3.0'; // import interlock:connector/types@0.3.0
  export * as description from 'interlock:connector/description@0.3.0'; // export interlock:connector/description@0.3.0
  export * as gateway from 'interlock:connector/gateway@0.3.0'; // export interlock:connector/gateway@0.3.0
  export * as sessions from 'interlock:connector/sessions@0.3.0'; // export interlock:connector/sessions@0.3.0
  export * as webhooks from 'interlock:connector/webhooks@0.3.0'; // export interlock:connector/webhooks@0.3.0
  export * as settlement from 'interlock:connector/settlement@0.3.0'; // export interlock:connector/settlement@0.3.0
}
