//! The protocol that keeps one payment from being charged twice, as a model that a checker walks exhaustively.
//!
//! Two clients ask for one payment to be paid; three tasks on as many hosts serve them, drive, take over and resolve;
//! gateways act before they answer, after, or without ever answering. Every interleaving of their steps is visited, with
//! messages lost, doubled and late, a host dead or asleep at any point, and time running out anywhere. What the model
//! decides it decides by the host's own functions: [`interlock::domain::payment::decide`],
//! [`interlock::domain::resolution`] and [`interlock::domain::schedule`].
//!
//! # What is one step
//!
//! A statement of Postgres is one step: commit 1, commit 2, a claim. What a statement compares before it writes (the
//! payment's version, the lease's fence) is not modelled as a number but as whether the task's knowledge still holds:
//! numbers that only grow are compared for nothing else. The lease check and the first byte are one step too, which is
//! what the host strives for and no program can quite have.
//!
//! # What is assumed of the world
//!
//! - Clocks of hosts and database run equally fast: a host's lease is over when the database says so.
//! - What was sent has arrived or is lost when the gateway's settling time has passed after the lease, and when the
//!   margin before the end of a key's window has passed.
//! - TCP does not deliver a request twice. Where the gateway knows keys, and does not refuse one copy while it acts on
//!   another, that is not needed: there requests are doubled.
//! - A gateway answers truly for what it knows. It may call a decline off later, where the setup says that it does.

#![expect(clippy::indexing_slicing, reason = "by numbers of attempts, keys and tasks, which the model itself makes")]

pub mod client;
pub mod gate;
pub mod gateway;
pub mod host;
pub mod properties;
pub mod setup;
pub mod system;
pub mod worker;
pub mod world;
