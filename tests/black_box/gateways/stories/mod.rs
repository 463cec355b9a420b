//! The stories. Each begins with a shop of its own and ends with all books in agreement.

mod after;
mod paying;
mod telling;
mod unknown;

pub use after::*;
pub use paying::*;
pub use telling::*;
pub use unknown::*;
