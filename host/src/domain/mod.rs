//! What should happen. Pure: no waiting, no clock, no chance, no I/O, no serialisation, no SQL.
//!
//! Everything here is a function of its arguments, so that the rules about money can be read on one screen and
//! tested by walking every case.

pub mod book;
pub mod connector_health;
pub mod connector_life;
pub mod connector_use;
pub mod country;
pub mod delivery;
pub mod event_types;
pub mod id;
pub mod money;
pub mod order;
pub mod payment;
pub mod resolution;
pub mod review;
pub mod routing;
pub mod schedule;
pub mod sequence;
