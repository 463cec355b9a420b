//! The contract with the host, generated from `wit/connector.wit`; its comments are that file's.
//!
//! Use the types through [`crate::types`]: the paths in here follow the generator.
#![expect(clippy::same_length_and_capacity, reason = "generated: the canonical ABI hands over exact lengths")]
#![expect(clippy::unsafe_derive_deserialize, reason = "generated: the unsafe methods are the ABI's casts of enums")]

wit_bindgen::generate!({
    path: "wit",
    world: "connector",
    pub_export_macro: true,
    default_bindings_module: "interlock_connector::bindings",
    additional_derives: [PartialEq, Clone, serde::Serialize, serde::Deserialize],
    // Every case of the contract is there, whether a function names it or not.
    generate_unused_types: true,
});
