//! Older versions of the contract, one file each: what a component of that version is given and gives, turned into the
//! newest types. Nothing else in the host knows that there are older versions.

pub mod v0_2;
