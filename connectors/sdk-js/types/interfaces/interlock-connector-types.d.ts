declare module 'interlock:connector/types@0.3.0' {
  /**
   * An amount that cannot be below zero: what is asked of a gateway, and what it says it did.
   */
  export interface Money {
    /**
     * In the currency's minor unit: 1250 is EUR 12.50, JPY 1250 or KWD 1.250. At most 9223372036854775807.
     */
    minorUnits: bigint,
    /**
     * ISO 4217, three capitals: `EUR`.
     */
    currency: string,
  }
  /**
   * An amount that may be below zero. Only settlement files have such.
   */
  export interface SignedMoney {
    /**
     * In the currency's minor unit; below zero for what is taken back.
     */
    minorUnits: bigint,
    /**
     * ISO 4217, three capitals.
     */
    currency: string,
  }
  /**
   * Names and values, in an order that is kept. What a connector returns is bounded: at most 32 entries, names of 1 to
   * 64 bytes, values of at most 1024. Where a record has `extra`, it carries what this version has no field for.
   */
  export type Pairs = Array<[string, string]>;
  /**
   * All that a call may depend on besides what it is about. The host makes it when an operation begins, writes it
   * down, and hands it out unchanged in every run of that operation, on whichever machine. There is no clock and no
   * random source to import, so that the same input always leads to the same requests.
   */
  export interface Context {
    /**
     * The gateway account's public settings, by the names that the descriptor declares, defaults filled in. Secrets
     * are not among them: they are holes.
     */
    settings: Pairs,
    /**
     * When the operation began, or the webhook arrived: Unix time in milliseconds.
     */
    now: bigint,
    /**
     * 16 bytes drawn for this operation alone, for gateways that want a nonce of the client's. May be empty where
     * there is no operation.
     */
    nonce: Uint8Array,
  }
  /**
   * ---- what the host asks for ---------------------------------------------------------------------------------------
   * Whether an approved payment is taken at once.
   * # Variants
   * 
   * ## `"automatic"`
   * 
   * Take the money with the authorization.
   * ## `"manual"`
   * 
   * Only hold it; a capture or a cancel follows.
   */
  export type CaptureMethod = 'automatic' | 'manual';
  /**
   * What a connector may know of a card. Number, code, expiry and holder are holes (see `segment`), never values.
   */
  export interface Card {
    /**
     * In lower case: `visa`, `mastercard`, `amex`, `rupay` …, or `unknown`.
     */
    brand: string,
    /**
     * The first six digits.
     */
    bin: string,
    /**
     * The last four digits.
     */
    last4: string,
    /**
     * Whether there is a code to fill `card-cvc` with. A stored card has none; a template with a hole that cannot be
     * filled is not sent.
     */
    hasCvc: boolean,
    /**
     * Whether there is a name to fill `card-holder` with.
     */
    hasHolder: boolean,
  }
  /**
   * A payment by UPI.
   */
  export type Upi = UpiCollect | UpiIntent | UpiQr;
  /**
   * The gateway asks the customer in the app of this address: `name@bank`.
   */
  export interface UpiCollect {
    tag: 'collect',
    val: string,
  }
  /**
   * The customer opens a link in an app on the same device.
   */
  export interface UpiIntent {
    tag: 'intent',
  }
  /**
   * The customer scans a code with another device.
   */
  export interface UpiQr {
    tag: 'qr',
  }
  /**
   * A payment by a wallet.
   */
  export interface Wallet {
    /**
     * In lower case, as the descriptor's methods name it: `apple_pay` of `wallet:apple_pay`.
     */
    provider: string,
    /**
     * Whether there is a token to fill `wallet-token` with. Without one the customer is to be redirected.
     */
    hasToken: boolean,
  }
  /**
   * How the customer pays. Only methods that the descriptor lists are asked for.
   */
  export type PaymentMethod = PaymentMethodCard | PaymentMethodUpi | PaymentMethodWallet | PaymentMethodGatewayToken;
  export interface PaymentMethodCard {
    tag: 'card',
    val: Card,
  }
  export interface PaymentMethodUpi {
    tag: 'upi',
    val: Upi,
  }
  export interface PaymentMethodWallet {
    tag: 'wallet',
    val: Wallet,
  }
  /**
   * The gateway's own token for a stored method, there as the hole `gateway-token`.
   */
  export interface PaymentMethodGatewayToken {
    tag: 'gateway-token',
  }
  /**
   * What 3-D Secure wants to know of the customer's browser; the fields are those of EMV 3DS 2.
   */
  export interface Browser {
    /**
     * Its `Accept` header.
     */
    accept: string,
    /**
     * Its language: `en-GB`.
     */
    language: string,
    /**
     * In bits: 24.
     */
    colorDepth: number,
    /**
     * In pixels.
     */
    screenHeight: number,
    /**
     * In pixels.
     */
    screenWidth: number,
    /**
     * UTC minus local time, in minutes, as JavaScript's `getTimezoneOffset` has it: -120 for UTC+2.
     */
    timezoneOffsetMinutes: number,
    /**
     * Whether it runs Java.
     */
    java: boolean,
    /**
     * Whether it runs JavaScript.
     */
    javaScript: boolean,
  }
  /**
   * What the merchant told of the customer; all of it may be missing. Personal data: no place in logs and messages.
   */
  export interface Customer {
    /**
     * The merchant's own name for the customer.
     */
    reference?: string,
    name?: string,
    email?: string,
    /**
     * As the merchant wrote it, usually in E.164: `+491701234567`.
     */
    phone?: string,
    /**
     * IPv4 or IPv6.
     */
    ip?: string,
    userAgent?: string,
    browser?: Browser,
  }
  /**
   * Charge the customer, or hold the money.
   */
  export interface Authorize {
    /**
     * What to charge, to the minor unit.
     */
    amount: Money,
    method: PaymentMethod,
    capture: CaptureMethod,
    customer: Customer,
    /**
     * For the customer's statement or the gateway's dashboard.
     */
    description?: string,
    /**
     * The merchant's name for what is being paid for.
     */
    orderReference?: string,
    /**
     * Where the customer's browser is to come back to after a redirect. It leads to the host, which then asks for
     * `complete`.
     */
    returnUrl?: string,
    /**
     * The merchant's own notes.
     */
    metadata: Pairs,
    extra: Pairs,
  }
  /**
   * The customer came back from an action, or approved at the gateway: find out, and finish what needs finishing.
   */
  export interface Complete {
    /**
     * As in the authorize before.
     */
    amount: Money,
    /**
     * As in the authorize before.
     */
    capture: CaptureMethod,
    /**
     * What the browser brought along in query and form. It comes from outside and proves nothing.
     */
    parameters: Pairs,
    extra: Pairs,
  }
  /**
   * Take held money.
   */
  export interface Capture {
    /**
     * What to take; may be less than what is held, where the descriptor says `partial-capture`.
     */
    amount: Money,
    /**
     * Whether it is the last one: the rest is released.
     */
    isFinal: boolean,
  }
  /**
   * Release held money, or call off what is not decided yet.
   */
  export interface Cancel {
    /**
     * The id of the operation to call off. There may be no reference yet, where its outcome was never known.
     */
    targetId: string,
    /**
     * Why, in the merchant's words.
     */
    reason?: string,
  }
  /**
   * Give taken money back.
   */
  export interface Refund {
    /**
     * What to give back; may be less than what was taken, where the descriptor says `partial-refund`.
     */
    amount: Money,
    /**
     * Why, in the merchant's words.
     */
    reason?: string,
    /**
     * The references of each capture so far, for gateways that refund a capture and not a payment.
     */
    captures: Array<Pairs>,
  }
  /**
   * The operation that is asked about, with what it was asked to do.
   */
  export type SyncTarget = SyncTargetAuthorize | SyncTargetComplete | SyncTargetCapture | SyncTargetCancel | SyncTargetRefund;
  export interface SyncTargetAuthorize {
    tag: 'authorize',
    val: Authorize,
  }
  export interface SyncTargetComplete {
    tag: 'complete',
    val: Complete,
  }
  export interface SyncTargetCapture {
    tag: 'capture',
    val: Capture,
  }
  export interface SyncTargetCancel {
    tag: 'cancel',
    val: Cancel,
  }
  export interface SyncTargetRefund {
    tag: 'refund',
    val: Refund,
  }
  /**
   * What became of an earlier operation whose outcome is not known, or not final? Only asks; never acts. Its outcome
   * is that of the operation asked about, or `never-received`.
   */
  export interface Sync {
    /**
     * The id of the operation that is asked about: what the gateway got as its idempotency key or reference.
     */
    targetId: string,
    target: SyncTarget,
  }
  /**
   * The kinds of operations.
   * # Variants
   * 
   * ## `"authorize"`
   * 
   * ## `"complete"`
   * 
   * ## `"capture"`
   * 
   * ## `"cancel"`
   * 
   * ## `"refund"`
   * 
   * ## `"sync"`
   */
  export type OperationKind = 'authorize' | 'complete' | 'capture' | 'cancel' | 'refund' | 'sync';
  /**
   * What is asked for.
   */
  export type Action = ActionAuthorize | ActionComplete | ActionCapture | ActionCancel | ActionRefund | ActionSync;
  export interface ActionAuthorize {
    tag: 'authorize',
    val: Authorize,
  }
  export interface ActionComplete {
    tag: 'complete',
    val: Complete,
  }
  export interface ActionCapture {
    tag: 'capture',
    val: Capture,
  }
  export interface ActionCancel {
    tag: 'cancel',
    val: Cancel,
  }
  export interface ActionRefund {
    tag: 'refund',
    val: Refund,
  }
  export interface ActionSync {
    tag: 'sync',
    val: Sync,
  }
  /**
   * One thing asked of a gateway.
   */
  export interface Operation {
    /**
     * The same in every run and every resend. The n-th writing request of an operation sends it as the gateway's
     * idempotency key: `op_…` for the first, `op_…-2` for the second, and so on.
     */
    id: string,
    /**
     * The payment it belongs to: `pay_…`.
     */
    paymentId: string,
    /**
     * What earlier outcomes of this attempt returned as `references`, merged, later ones last: the gateway's order,
     * payment, authorization, capture ids, by the connector's own names.
     */
    references: Pairs,
    action: Action,
  }
  /**
   * ---- what a connector asks the host to send -----------------------------------------------------------------------
   * An HTTP method.
   * # Variants
   * 
   * ## `"get"`
   * 
   * Carries no body.
   * ## `"post"`
   * 
   * ## `"put"`
   * 
   * ## `"patch"`
   * 
   * ## `"delete"`
   */
  export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
  /**
   * A piece of text. All but `text` are holes that the host fills once the request has left the sandbox, escaped for
   * the place they stand in, and only where the descriptor's placements allow them. A placement names a hole by the
   * name of its case (`card-number`), those with a name of their own as `secret:api_key` and `session:access_token`.
   */
  export type Segment = SegmentText | SegmentSecret | SegmentBasicAuth | SegmentSession | SegmentComputed | SegmentCardNumber | SegmentCardCvc | SegmentCardHolder | SegmentCardExpiryMonth | SegmentCardExpiryYear | SegmentCardExpiryYearShort | SegmentWalletToken | SegmentGatewayToken;
  /**
   * Sent as it is. In a JSON body it is JSON; in a form the host encodes it.
   */
  export interface SegmentText {
    tag: 'text',
    val: string,
  }
  /**
   * A secret of the gateway account, by its declared name.
   */
  export interface SegmentSecret {
    tag: 'secret',
    val: string,
  }
  /**
   * base64 of `first:second`, each the name of a secret, or "" for nothing: what follows `Basic ` in a header.
   */
  export interface SegmentBasicAuth {
    tag: 'basic-auth',
    val: [string, string],
  }
  /**
   * A value that `open-session` had the host keep, by its name.
   */
  export interface SegmentSession {
    tag: 'session',
    val: string,
  }
  /**
   * The result of one of the request's `computed` values, by its name.
   */
  export interface SegmentComputed {
    tag: 'computed',
    val: string,
  }
  /**
   * Digits only.
   */
  export interface SegmentCardNumber {
    tag: 'card-number',
  }
  /**
   * The card's code; see `card.has-cvc`.
   */
  export interface SegmentCardCvc {
    tag: 'card-cvc',
  }
  /**
   * The name on the card; see `card.has-holder`.
   */
  export interface SegmentCardHolder {
    tag: 'card-holder',
  }
  /**
   * "01" … "12"
   */
  export interface SegmentCardExpiryMonth {
    tag: 'card-expiry-month',
  }
  /**
   * "2030"
   */
  export interface SegmentCardExpiryYear {
    tag: 'card-expiry-year',
  }
  /**
   * "30"
   */
  export interface SegmentCardExpiryYearShort {
    tag: 'card-expiry-year-short',
  }
  /**
   * See `wallet.has-token`.
   */
  export interface SegmentWalletToken {
    tag: 'wallet-token',
  }
  /**
   * See `payment-method.gateway-token`.
   */
  export interface SegmentGatewayToken {
    tag: 'gateway-token',
  }
  /**
   * Text with holes: its pieces, one after the other.
   */
  export type Template = Array<Segment>;
  /**
   * The body of a request.
   */
  export type Body = BodyEmpty | BodyJson | BodyForm | BodyRaw;
  export interface BodyEmpty {
    tag: 'empty',
  }
  /**
   * JSON text; holes stand inside strings, and what fills them is escaped as the inside of a JSON string. Sent as
   * `application/json`, unless a header of the request says another JSON type.
   */
  export interface BodyJson {
    tag: 'json',
    val: Template,
  }
  /**
   * Names and values, sent as `application/x-www-form-urlencoded`; the host encodes both.
   */
  export interface BodyForm {
    tag: 'form',
    val: Array<[string, Template]>,
  }
  /**
   * Content type and text; holes are filled as they are, without escaping.
   */
  export interface BodyRaw {
    tag: 'raw',
    val: [string, Template],
  }
  /**
   * Hash functions.
   * # Variants
   * 
   * ## `"sha256"`
   * 
   * ## `"sha512"`
   */
  export type Digest = 'sha256' | 'sha512';
  /**
   * Message authentication codes.
   * # Variants
   * 
   * ## `"hmac-sha256"`
   * 
   * ## `"hmac-sha512"`
   * 
   * ## `"hmac-sha1"`
   * 
   * Only for gateways that have nothing better.
   */
  export type Mac = 'hmac-sha256' | 'hmac-sha512' | 'hmac-sha1';
  /**
   * How computed bytes are written.
   * # Variants
   * 
   * ## `"hex"`
   * 
   * In lower case.
   * ## `"base64"`
   * 
   * With `+`, `/` and padding.
   */
  export type Encoding = 'hex' | 'base64';
  /**
   * What goes into a computation.
   */
  export type Material = MaterialLiteral | MaterialRenderedUrl | MaterialRenderedBody | MaterialComputed;
  /**
   * This text.
   */
  export interface MaterialLiteral {
    tag: 'literal',
    val: string,
  }
  /**
   * The URL as it is sent.
   */
  export interface MaterialRenderedUrl {
    tag: 'rendered-url',
  }
  /**
   * The body as it is sent, every hole filled. Not where the body itself holds a computed value.
   */
  export interface MaterialRenderedBody {
    tag: 'rendered-body',
  }
  /**
   * The encoded result of an earlier one of the request's `computed` values, by its name.
   */
  export interface MaterialComputed {
    tag: 'computed',
    val: string,
  }
  /**
   * What is computed.
   */
  export type Computation = ComputationDigest | ComputationMac;
  export interface ComputationDigest {
    tag: 'digest',
    val: Digest,
  }
  /**
   * With the key: the name of a secret.
   */
  export interface ComputationMac {
    tag: 'mac',
    val: [Mac, string],
  }
  /**
   * A value that the host works out, in the order given, after every other hole is filled, so that what is signed is
   * what is sent. At most 16 per request.
   */
  export interface Computed {
    /**
     * What `segment.computed` and `material.computed` call it; once per request.
     */
    name: string,
    computation: Computation,
    /**
     * Joined without anything in between.
     */
    over: Array<Material>,
    encoding: Encoding,
  }
  /**
   * What sending a request can do at the gateway. It decides what silence means: after one that moves money, nothing
   * is "not sent" any more.
   * # Variants
   * 
   * ## `"reads"`
   * 
   * Nothing.
   * ## `"prepares"`
   * 
   * Creates something that moves no money by itself: an order, a customer.
   * ## `"moves-money"`
   * 
   * Charges, takes, releases or gives back.
   */
  export type Effect = 'reads' | 'prepares' | 'moves-money';
  /**
   * One HTTP request, holes and all. It is written down before it is sent, and never differs between runs.
   */
  export interface Request {
    method: Method,
    /**
     * Absolute, with its query, percent-encoded, without user, password and fragment; no holes. Its origin must be
     * declared by the descriptor and approved by the operator. At most 8 KiB.
     */
    url: string,
    /**
     * Names in lower case, each once, at most 64. Those that frame the message (`host`, `content-length`,
     * `transfer-encoding`, `connection` …) are the host's.
     */
    headers: Array<[string, Template]>,
    body: Body,
    computed: Array<Computed>,
    effect: Effect,
    /**
     * True where the gateway promises that sending these very bytes again has no second effect. Only such a request is
     * ever sent twice.
     */
    resendable: boolean,
  }
  /**
   * A complete reply of the gateway, whatever its status. What the host had filled in is blanked where it is echoed.
   */
  export interface Response {
    /**
     * 200, 402, 503 …
     */
    status: number,
    /**
     * As the gateway spells them.
     */
    headers: Pairs,
    /**
     * Not compressed; bounded by the host.
     */
    body: Uint8Array,
  }
  /**
   * ---- what came of it ----------------------------------------------------------------------------------------------
   * Something was done.
   */
  export interface Approval {
    /**
     * The gateway's main reference for what was done, at most 255 bytes: merchants see it, and find it at the gateway.
     */
    gatewayReference: string,
    /**
     * Of this operation alone, as the gateway says it and not as it was asked for: the host compares.
     */
    amount: Money,
    /**
     * What was captured of the payment so far, where the gateway says it: compared with ours, never added.
     */
    capturedTotal?: Money,
    /**
     * What was refunded of the payment so far, where the gateway says it: compared with ours, never added.
     */
    refundedTotal?: Money,
    /**
     * What later operations of the attempt are to get as `operation.references`.
     */
    references: Pairs,
    /**
     * The card network's id of the transaction.
     */
    networkReference?: string,
    /**
     * The issuer's approval code.
     */
    authorizationCode?: string,
    /**
     * Unix time in milliseconds after which an uncaptured authorization lapses.
     */
    captureBefore?: bigint,
    extra: Pairs,
  }
  /**
   * The customer's browser is to go elsewhere.
   */
  export interface Redirect {
    /**
     * http or https.
     */
    url: string,
    /**
     * `get`, or `post` for a form that is to be sent.
     */
    method: Method,
    /**
     * The fields of that form; none for `get`.
     */
    fields: Pairs,
  }
  /**
   * One way in which the customer may act.
   */
  export type CustomerAction = CustomerActionRedirect | CustomerActionDisplayQr | CustomerActionOpenApp | CustomerActionAwaitApproval;
  export interface CustomerActionRedirect {
    tag: 'redirect',
    val: Redirect,
  }
  /**
   * The text that a QR code is to hold.
   */
  export interface CustomerActionDisplayQr {
    tag: 'display-qr',
    val: string,
  }
  /**
   * A link that opens an app: `upi://pay?…`.
   */
  export interface CustomerActionOpenApp {
    tag: 'open-app',
    val: string,
  }
  /**
   * Nothing to show: the customer is asked elsewhere, in an app for example.
   */
  export interface CustomerActionAwaitApproval {
    tag: 'await-approval',
  }
  /**
   * The customer must act before the gateway goes on.
   */
  export interface ActionNeeded {
    gatewayReference?: string,
    /**
     * As in `approval`.
     */
    references: Pairs,
    /**
     * One or more ways to do it, the best one first (an intent link may be opened, or shown as a QR code). At most 8.
     */
    actions: Array<CustomerAction>,
    /**
     * Unix time in milliseconds after which it is too late.
     */
    expiresAt?: bigint,
  }
  /**
   * Why it was declined, in Interlock's words.
   * # Variants
   * 
   * ## `"insufficient-funds"`
   * 
   * ## `"do-not-honor"`
   * 
   * The issuer gives no reason.
   * ## `"expired-card"`
   * 
   * ## `"incorrect-number"`
   * 
   * ## `"incorrect-cvc"`
   * 
   * ## `"lost-or-stolen"`
   * 
   * ## `"fraud-suspected"`
   * 
   * ## `"authentication-required"`
   * 
   * The issuer wants the customer authenticated, and nobody asked.
   * ## `"authentication-failed"`
   * 
   * The customer was asked and did not prove who they are.
   * ## `"limit-exceeded"`
   * 
   * The customer's, the merchant's or the gateway's limit.
   * ## `"method-unsupported"`
   * 
   * ## `"currency-unsupported"`
   * 
   * ## `"customer-cancelled"`
   * 
   * ## `"expired"`
   * 
   * The customer took too long.
   * ## `"gateway-error"`
   * 
   * The gateway or the network behind it broke down, and says that nothing was charged.
   * ## `"misconfigured"`
   * 
   * The account or the request is wrong: for us to mend, not for the customer.
   * ## `"other"`
   * 
   * Anything else; `gateway-code` has the gateway's word.
   */
  export type DeclineCode = 'insufficient-funds' | 'do-not-honor' | 'expired-card' | 'incorrect-number' | 'incorrect-cvc' | 'lost-or-stolen' | 'fraud-suspected' | 'authentication-required' | 'authentication-failed' | 'limit-exceeded' | 'method-unsupported' | 'currency-unsupported' | 'customer-cancelled' | 'expired' | 'gateway-error' | 'misconfigured' | 'other';
  /**
   * What may be tried after a decline.
   * # Variants
   * 
   * ## `"never"`
   * 
   * Nothing with this payment method.
   * ## `"same-gateway-later"`
   * 
   * The same here, after a while.
   * ## `"other-gateway"`
   * 
   * Another gateway may see it differently, and may be asked at once.
   */
  export type RetryAdvice = 'never' | 'same-gateway-later' | 'other-gateway';
  /**
   * The gateway says no, for good. Silence, a time-out or a server error is no decline.
   */
  export interface Decline {
    code: DeclineCode,
    /**
     * The gateway's own code, as it is.
     */
    gatewayCode: string,
    /**
     * The card network's or issuer's code behind it, as the gateway passes it on (`51`, `05 : Do not honor`): for
     * support, and for the networks' rules on retries. None where the gateway passes on none; else 1 to 64 bytes of
     * printable ASCII.
     */
    networkCode?: string,
    /**
     * The gateway's own words, for the merchant.
     */
    message: string,
    advice: RetryAdvice,
    gatewayReference?: string,
    /**
     * As in `approval`.
     */
    references: Pairs,
    /**
     * For how long, in seconds, the gateway may still turn it into a success (Razorpay's late authorization); 0 for
     * never.
     */
    reopenableForSeconds: number,
  }
  /**
   * The gateway has it.
   */
  export interface Accepted {
    gatewayReference?: string,
    /**
     * As in `approval`.
     */
    references: Pairs,
  }
  /**
   * What came of an operation, as its connector reads the gateway's replies.
   */
  export type Outcome = OutcomeAuthorized | OutcomeCaptured | OutcomeCancelled | OutcomeRefunded | OutcomeDeclined | OutcomeActionRequired | OutcomeReadyToComplete | OutcomePending | OutcomeExpired | OutcomeNotProcessed | OutcomeNeverReceived;
  /**
   * The money is held.
   */
  export interface OutcomeAuthorized {
    tag: 'authorized',
    val: Approval,
  }
  /**
   * The money is taken.
   */
  export interface OutcomeCaptured {
    tag: 'captured',
    val: Approval,
  }
  /**
   * The money is released, or was never held.
   */
  export interface OutcomeCancelled {
    tag: 'cancelled',
    val: Approval,
  }
  /**
   * The money is given back.
   */
  export interface OutcomeRefunded {
    tag: 'refunded',
    val: Approval,
  }
  /**
   * No, for good.
   */
  export interface OutcomeDeclined {
    tag: 'declined',
    val: Decline,
  }
  /**
   * The customer must act; a `complete` or a webhook follows.
   */
  export interface OutcomeActionRequired {
    tag: 'action-required',
    val: ActionNeeded,
  }
  /**
   * The customer approved at the gateway; the host is to run `complete` now. With references, as in `approval`.
   */
  export interface OutcomeReadyToComplete {
    tag: 'ready-to-complete',
    val: Pairs,
  }
  /**
   * Accepted but not final; a webhook or a later sync tells.
   */
  export interface OutcomePending {
    tag: 'pending',
    val: Accepted,
  }
  /**
   * The gateway let an authorization lapse.
   */
  export interface OutcomeExpired {
    tag: 'expired',
    val: Accepted,
  }
  /**
   * The gateway says that it did nothing (rate limit, conflict with another request, maintenance), and in how many
   * seconds to come back. Only where it says so: it allows the host to try elsewhere.
   */
  export interface OutcomeNotProcessed {
    tag: 'not-processed',
    val: number | undefined,
  }
  /**
   * Answer to a sync alone: the gateway says that it never saw the operation. A 404 of something in between is not
   * that.
   */
  export interface OutcomeNeverReceived {
    tag: 'never-received',
  }
  /**
   * The connector cannot make sense of what the gateway said. The host treats the operation as unknown and finds out.
   */
  export interface Failure {
    /**
     * For the operator's log; no personal data, nothing quoted from replies.
     */
    message: string,
  }
}
