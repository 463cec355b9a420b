//! The lines of a gateway's settlement file.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct SignedMoney {
    #[component(name = "minor-units")]
    pub minor_units: i64,
    pub currency: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum LineKind {
    #[component(name = "payment")]
    Payment,
    #[component(name = "refund")]
    Refund,
    #[component(name = "fee")]
    Fee,
    #[component(name = "chargeback")]
    Chargeback,
    #[component(name = "adjustment")]
    Adjustment,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Line {
    pub kind: LineKind,
    #[component(name = "gateway-reference")]
    pub gateway_reference: String,
    #[component(name = "operation-id")]
    pub operation_id: Option<String>,
    pub gross: SignedMoney,
    pub fee: SignedMoney,
    #[component(name = "settled-on")]
    pub settled_on: String,
}
