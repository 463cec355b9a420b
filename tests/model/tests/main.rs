//! Checks the model: every configuration in every interleaving, and that each broken rule is found.

mod configurations;
mod mutants;
