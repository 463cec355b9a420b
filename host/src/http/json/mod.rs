//! JSON bodies: read within limits, parsed strictly, and then read field by field so that all faults are told at once.

pub mod body;
pub mod fields;
pub mod kinds;
pub mod parse;

pub use body::Body;
pub use fields::{Fields, escaped, nearest, read};
