//! The black-box tests: what merchants, operators and gateways see, each theme in its module.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may end the test, as tests may")]

mod payments;
