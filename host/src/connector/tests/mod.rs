//! The engine against components that are hand-made for each test, and against the mock connector.

mod admission;
mod child;
mod compat;
mod descriptor;
mod edges;
pub mod fixture;
mod images;
mod imports;
mod limits;
mod meters;
mod mock;
mod promises;
mod registry;
mod report;
mod runs;
mod sanity;
mod seeds;

use std::sync::Arc;

use super::{
    Engine, EngineConfig, Version,
    types::{
        Action, Authorize, Cancel, CaptureMethod, Card, Context, Customer, Exchange, Money, Operation, PaymentMethod,
        Request, Response,
    },
};

/// Small enough that every bound is reached within the blink of a test.
fn config() -> EngineConfig {
    EngineConfig { threads: 2, fuel_max: 20_000_000, ..EngineConfig::new([7; 32]) }
}

fn engine() -> Engine {
    Engine::new(config()).unwrap()
}

fn admitted(engine: &Engine, component: &[u8]) -> Arc<Version> {
    engine.admit(component).unwrap_or_else(|refused| panic!("{refused}"))
}

fn context() -> Arc<Context> {
    Arc::new(Context {
        settings: vec![("base_url".to_owned(), "https://gateway.example".to_owned())],
        now: 1_700_000_000_000,
        nonce: vec![1; 16],
    })
}

fn operation(action: Action) -> Arc<Operation> {
    Arc::new(Operation { id: "op_1".to_owned(), payment_id: "pay_1".to_owned(), references: vec![], action })
}

/// What the hand-made components get: they do not look at it.
fn cancel() -> Arc<Operation> {
    operation(Action::Cancel(Cancel { target_id: "op_0".to_owned(), reason: None }))
}

fn authorize() -> Arc<Operation> {
    operation(Action::Authorize(Authorize {
        amount: Money { minor_units: 1250, currency: "EUR".to_owned() },
        method: PaymentMethod::Card(Card {
            brand: "visa".to_owned(),
            bin: "424242".to_owned(),
            last4: "4242".to_owned(),
            has_cvc: true,
            has_holder: false,
        }),
        capture: CaptureMethod::Automatic,
        customer: Customer::default(),
        description: None,
        order_reference: None,
        return_url: None,
        metadata: vec![],
        extra: vec![],
    }))
}

fn answered(request: Request, status: u16, body: &str) -> Exchange {
    Exchange { request, response: Response { status, headers: vec![], body: body.as_bytes().to_vec() } }
}
