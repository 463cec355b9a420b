//! What black-box tests stand on: a Postgres for the run, a database, a simulator and hosts for each test.
//!
//! [`harness::World`] is the way in. It speaks HTTP to real processes; helpers that look into the database begin with
//! `db_`. When a world ends it checks that no money was lost or made ([`harness::invariants`]).

#![expect(clippy::missing_panics_doc, reason = "a harness ends the test at the first surprise; that is what it is for")]
#![expect(clippy::indexing_slicing, reason = "of JSON: what is absent is null there")]
#![expect(clippy::must_use_candidate, reason = "tests call many things for their effect on the world alone")]
#![expect(clippy::return_self_not_must_use, reason = "as above: `answer.expect(201)` by itself is a whole check")]

pub mod harness;
