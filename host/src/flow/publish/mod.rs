//! Events on their way out of the log: read in order, and queued for the merchants' endpoints that want them.

mod batch;
mod fan_out;
mod partitions;

pub use batch::{Batch, batch, batch_of};
pub use fan_out::{Progress, READER, ensure_reader, fan_out};
pub use partitions::{drop_old, keep_partitions};
