//! Values that a connector obtains from its gateway for the host to keep and fill in later: access tokens and the like.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::Request;

/// One value for the host to keep, encrypted, per gateway account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Keep {
    pub name: String,
    /// JSON pointer into the reply.
    pub pointer: String,
    #[component(name = "lifetime-pointer")]
    pub lifetime_pointer: Option<String>,
    #[component(name = "lifetime-seconds")]
    pub lifetime_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Opening {
    pub request: Request,
    pub keep: Vec<Keep>,
}
