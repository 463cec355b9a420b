//! What Rust connectors share: the contract's types, requests with holes, reading replies, money, webhooks, and a native
//! harness that replays cassettes.
//!
//! A connector translates between Interlock and one gateway. It is straight-line code without clock, random numbers, I/O
//! or secrets: it asks the host to send a request, reads the reply, and says what it means. Where a secret or a card
//! number belongs, it leaves a hole that the host fills after the request has left the sandbox. `wit/connector.wit` is
//! the whole contract; [`types`] has it in Rust.
//!
//! # A small complete connector
//!
//! ```
//! use interlock_connector::request::{idempotency_key, json_object, secret};
//! use interlock_connector::types::*;
//! use interlock_connector::webhook::acknowledged;
//! use interlock_connector::{Connector, DeclineTable, Host, export_connector};
//! use serde::Deserialize;
//!
//! pub struct Acme;
//!
//! const API: &str = "https://api.acme.example";
//!
//! const DECLINES: DeclineTable = DeclineTable(&[
//!     ("no_money", DeclineCode::InsufficientFunds, RetryAdvice::OtherGateway),
//!     ("expired", DeclineCode::ExpiredCard, RetryAdvice::Never),
//! ]);
//!
//! #[derive(Deserialize)]
//! struct Payment {
//!     id: String,
//!     amount: u64,
//!     currency: String,
//!     status: Status,
//!     reason: Option<String>,
//! }
//!
//! // A status that is not listed makes the reply unreadable, and the operation unknown: never a guess.
//! #[derive(Deserialize)]
//! #[serde(rename_all = "snake_case")]
//! enum Status {
//!     Paid,
//!     Refused,
//! }
//!
//! impl Connector for Acme {
//!     fn describe() -> Descriptor {
//!         let placement = |hole: &str, location, name: &str| Placement {
//!             hole: hole.to_owned(),
//!             method: Method::Post,
//!             origin: API.to_owned(),
//!             path_prefix: "/payments".to_owned(),
//!             location,
//!             name: name.to_owned(),
//!         };
//!         Descriptor {
//!             name: "acme".to_owned(),
//!             version: env!("CARGO_PKG_VERSION").to_owned(),
//!             display_name: "Acme Payments".to_owned(),
//!             methods: vec!["card".to_owned()],
//!             currencies: Vec::new(),
//!             origins: vec![API.to_owned()],
//!             settings: vec![Setting {
//!                 name: "api_key".to_owned(),
//!                 kind: SettingKind::Secret,
//!                 key_encoding: KeyEncoding::Utf8,
//!                 required: true,
//!                 default: None,
//!                 help: "Acme's dashboard shows it under Developers.".to_owned(),
//!                 identity: false,
//!             }],
//!             placements: vec![
//!                 placement("secret:api_key", Location::Header, "authorization"),
//!                 placement("card-number", Location::JsonString, "/card/number"),
//!             ],
//!             operations: vec![OperationRules {
//!                 kind: OperationKind::Authorize,
//!                 resolutions: vec![Resolution::Resend(86_400)],
//!                 settles_within_seconds: 3600,
//!             }],
//!             features: Features { partial_capture: false, multiple_capture: false, partial_refund: false, cancel: false },
//!         }
//!     }
//!
//!     fn perform(_: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
//!         let Action::Authorize(authorize) = &operation.action else {
//!             return Err(Failure::new("Acme only charges"));
//!         };
//!         let body = json_object(|payment| {
//!             payment.integer("amount", authorize.amount.minor_units);
//!             payment.string("currency", &authorize.amount.currency);
//!             payment.object("card", |card| card.hole("number", Segment::CardNumber));
//!         });
//!         let reply = host.exchange(
//!             &Request::post([API, "/payments"].concat())
//!                 .header("authorization", ["Bearer ".into(), secret("api_key")])
//!                 .header("idempotency-key", idempotency_key(operation, 1))
//!                 .json(body)
//!                 .resendable(true),
//!         );
//!         if !reply.is_success() {
//!             return Err(Failure::new("Acme's errors say nothing about what became of the request"));
//!         }
//!         let Payment { id, amount, currency, status, reason } = reply.json()?;
//!         Ok(match status {
//!             Status::Paid => Outcome::Captured(Approval::of(id, Money::new(amount, currency))),
//!             Status::Refused => {
//!                 let word = reason.unwrap_or_default();
//!                 Outcome::Declined(DECLINES.decline(&word, String::new(), host).about(id))
//!             }
//!         })
//!     }
//!
//!     fn receive(_: &Context, _: &Inbound, _: &mut dyn Host) -> Result<Delivery, Failure> {
//!         Ok(Delivery { events: Vec::new(), acknowledgement: acknowledged() })
//!     }
//! }
//!
//! export_connector!(crate::Acme);
//! #
//! # fn main() {
//! #     use interlock_connector::harness::{End, Exchange, perform};
//! #     let operation = Operation {
//! #         id: "op_1".to_owned(),
//! #         payment_id: "pay_1".to_owned(),
//! #         references: Vec::new(),
//! #         action: Action::Authorize(Authorize {
//! #             amount: Money::new(1250, "EUR"),
//! #             method: PaymentMethod::GatewayToken,
//! #             capture: CaptureMethod::Automatic,
//! #             customer: Customer {
//! #                 reference: None, name: None, email: None, phone: None, ip: None, user_agent: None, browser: None,
//! #             },
//! #             description: None,
//! #             order_reference: None,
//! #             return_url: None,
//! #             metadata: Vec::new(),
//! #             extra: Vec::new(),
//! #         }),
//! #     };
//! #     let ctx = Context { settings: Vec::new(), now: 0, nonce: Vec::new() };
//! #     let End::Asked(request) = perform::<Acme>(&ctx, &operation, &[]) else { panic!("nothing was asked") };
//! #     let body = br#"{"id":"p_1","amount":1250,"currency":"EUR","status":"paid"}"#.to_vec();
//! #     let response = Response { status: 200, headers: Vec::new(), body };
//! #     let end = perform::<Acme>(&ctx, &operation, &[Exchange { request: *request, response }]);
//! #     assert!(matches!(end, End::Returned(Ok(Outcome::Captured(_)))));
//! # }
//! ```
//!
//! Its `Cargo.toml` says `crate-type = ["cdylib", "rlib"]`; `interlock connector build` makes the component, and
//! [`harness`] tests it natively, against `cassettes/*.json`.
//!
//! # Small and fast
//!
//! An instance lives for one run, and most of a run's cost is memory touched for the first time. So the SDK brings an
//! allocator that hands memory out in a row and hardly takes any back (feature `bump-allocator`, on by default),
//! templates are written without a tree of values in between, and nothing on the way of a good reply formats text. Structs
//! that name the members you need, read with [`types::Response::json`], keep it so.

pub mod bindings;
pub mod csv;
pub mod describe;
pub mod money;
pub mod request;
pub mod time;
pub mod types;
pub mod webhook;

mod connector;
mod context;
mod decline;
mod outcome;
mod reply;

#[cfg(not(target_arch = "wasm32"))]
pub mod harness;

#[cfg(all(target_arch = "wasm32", feature = "bump-allocator"))]
mod alloc;

pub use connector::{Component, Connector, Host};
pub use decline::DeclineTable;
pub use outcome::references;
pub use reply::Document;

/// The first value of that name, capitals or not: how header names are compared.
fn find_ignoring_case<'a>(pairs: &'a types::Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
