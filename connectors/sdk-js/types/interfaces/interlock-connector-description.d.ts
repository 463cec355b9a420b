/// <reference path="./interlock-connector-types.d.ts" />
declare module 'interlock:connector/description@0.3.0' {
  /**
   * Always the same for the same component. May not call `exchange`.
   */
  export function describe(): Descriptor;
  export type OperationKind = import('interlock:connector/types@0.3.0').OperationKind;
  export type Method = import('interlock:connector/types@0.3.0').Method;
  /**
   * What a setting holds.
   * # Variants
   * 
   * ## `"text"`
   * 
   * ## `"url"`
   * 
   * An absolute URL; it may serve as an origin.
   * ## `"secret"`
   * 
   * Kept encrypted, shown to nobody, and given to the connector only as a hole.
   */
  export type SettingKind = 'text' | 'url' | 'secret';
  /**
   * How the text that a user enters becomes the bytes of a key (Adyen's HMAC key is hex).
   * # Variants
   * 
   * ## `"utf8"`
   * 
   * ## `"hex"`
   * 
   * ## `"base64"`
   */
  export type KeyEncoding = 'utf8' | 'hex' | 'base64';
  /**
   * Something that a gateway account has to say.
   */
  export interface Setting {
    /**
     * Lower-case letters, digits and underscores: `api_key`.
     */
    name: string,
    kind: SettingKind,
    /**
     * Of a secret that serves as a key; `utf8` else.
     */
    keyEncoding: KeyEncoding,
    /**
     * Whether an account cannot do without.
     */
    required: boolean,
    /**
     * Taken where the account says nothing. Not for secrets.
     */
    'default'?: string,
    /**
     * For the person who fills it in: what it is, and where at the gateway it is found.
     */
    help: string,
    /**
     * Names the account at the gateway (base URL, account number): cannot be changed, only made anew.
     */
    identity: boolean,
  }
  /**
   * In which part of a request.
   * # Variants
   * 
   * ## `"header"`
   * 
   * A header's value.
   * ## `"form-field"`
   * 
   * A form field's value.
   * ## `"json-string"`
   * 
   * A string of a JSON body.
   * ## `"raw-body"`
   * 
   * Anywhere in a raw body.
   */
  export type Location = 'header' | 'form-field' | 'json-string' | 'raw-body';
  /**
   * Where a hole may be filled: hole `secret:api_key` in header `authorization` of a POST to paths under `/v1/`.
   */
  export interface Placement {
    /**
     * The name of a case of `segment` (`card-number`), `secret:` with a declared secret, or `session:` with a name.
     * `basic-auth` needs a placement for each of its secrets; computed values need one as `computed:` with their name
     * where they are to be sent.
     */
    hole: string,
    method: Method,
    /**
     * One of the descriptor's `origins`, written the same.
     */
    origin: string,
    /**
     * Begins with a slash: `/v1/` allows `/v1/charges`, `/` everything.
     */
    pathPrefix: string,
    location: Location,
    /**
     * A header in lower case, a form key, or a JSON pointer (RFC 6901; `*` stands for an index); unused for
     * `raw-body`.
     */
    name: string,
  }
  /**
   * A way to find out what became of an operation whose outcome is unknown.
   */
  export type Resolution = ResolutionResend | ResolutionGetByReference | ResolutionFindByOperationId | ResolutionAwaitWebhook | ResolutionCancelByOperationId;
  /**
   * Send the same bytes under the same key again, within so many seconds of the first.
   */
  export interface ResolutionResend {
    tag: 'resend',
    val: number,
  }
  /**
   * Ask with the references that earlier outcomes returned.
   */
  export interface ResolutionGetByReference {
    tag: 'get-by-reference',
  }
  /**
   * Ask by the operation's id. A "never received" counts only so many seconds after the operation can no longer be
   * under way.
   */
  export interface ResolutionFindByOperationId {
    tag: 'find-by-operation-id',
    val: number,
  }
  /**
   * Wait: the gateway tells of its own accord.
   */
  export interface ResolutionAwaitWebhook {
    tag: 'await-webhook',
  }
  /**
   * Call it off by the operation's id; the gateway then says what it was.
   */
  export interface ResolutionCancelByOperationId {
    tag: 'cancel-by-operation-id',
  }
  /**
   * What holds for one kind of operation.
   */
  export interface OperationRules {
    kind: OperationKind,
    /**
     * Tried in this order.
     */
    resolutions: Array<Resolution>,
    /**
     * How long a `pending` may last before a person should look, in seconds; at most 366 days.
     */
    settlesWithinSeconds: number,
  }
  /**
   * What the gateway can do. What it cannot is refused by the host before anything is sent.
   */
  export interface Features {
    /**
     * Capture less than was authorized.
     */
    partialCapture: boolean,
    /**
     * Capture more than once.
     */
    multipleCapture: boolean,
    /**
     * Refund less than was captured.
     */
    partialRefund: boolean,
    /**
     * Release an authorization.
     */
    cancel: boolean,
  }
  /**
   * The whole of it.
   */
  export interface Descriptor {
    /**
     * Lower-case letters, digits and hyphens: `stripe`.
     */
    name: string,
    /**
     * Semantic version of the connector itself: `1.4.0`.
     */
    version: string,
    /**
     * For people: `Stripe`.
     */
    displayName: string,
    /**
     * `card`, `upi_collect`, `upi_intent`, `upi_qr`, `wallet:<provider>`, `gateway_token`
     */
    methods: Array<string>,
    /**
     * ISO 4217 codes; empty means any.
     */
    currencies: Array<string>,
    /**
     * `https://api.example.com`, with nothing after the host and port, or `setting:base_url` for one that the
     * account's settings name.
     */
    origins: Array<string>,
    settings: Array<Setting>,
    placements: Array<Placement>,
    /**
     * One entry per kind of operation that the connector can do.
     */
    operations: Array<OperationRules>,
    features: Features,
  }
}
