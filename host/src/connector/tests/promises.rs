//! The limits as they are written down for operators are those of the code.

use super::super::{
    EngineConfig,
    bounds::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX, TABLES_PER_MODULE_MAX},
    child::Limits,
    inspect::{FUNCTION_MAX_BYTES, FUNCTIONS_MAX},
    run::VERIFICATIONS_MAX,
};

const SANDBOX: &str = include_str!("../../../../docs/sandbox.md");

/// With commas, as people read it.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[test]
fn the_table_of_limits_is_true() {
    let config = EngineConfig::new([0; 32]);
    let judging = Limits::default();
    let limits: [(&str, u128); 19] = [
        ("component_max_bytes", config.component_max_bytes as u128),
        ("FUNCTIONS_MAX", FUNCTIONS_MAX as u128),
        ("FUNCTION_MAX_BYTES", FUNCTION_MAX_BYTES as u128),
        ("CORE_INSTANCES_MAX", CORE_INSTANCES_MAX.into()),
        ("MEMORIES_MAX", MEMORIES_MAX.into()),
        ("TABLES_MAX", TABLES_MAX.into()),
        ("TABLES_PER_MODULE_MAX", TABLES_PER_MODULE_MAX.into()),
        ("TABLE_ELEMENTS_MAX", TABLE_ELEMENTS_MAX as u128),
        ("cpu_max", judging.cpu_max.as_secs().into()),
        ("memory_max_bytes of the judging", judging.memory_max_bytes.into()),
        ("time_max", judging.time_max.as_secs().into()),
        ("memory_max_bytes", config.memory_max_bytes as u128),
        ("fuel_max", config.fuel_max.into()),
        ("run_time_max", config.run_time_max.as_millis()),
        ("copied_out_max_bytes", config.copied_out_max_bytes as u128),
        ("log_max_lines", config.log_max_lines as u128),
        ("log_max_bytes", config.log_max_bytes as u128),
        ("VERIFICATIONS_MAX", VERIFICATIONS_MAX.into()),
        ("exchanges_max", config.exchanges_max as u128),
    ];
    for (name, limit) in limits {
        let row = format!("| `{name}` | {} |", grouped(limit));
        assert!(SANDBOX.contains(&row), "docs/sandbox.md does not say {row}");
    }
    let rows =
        SANDBOX.lines().skip_while(|line| !line.starts_with("| What |")).take_while(|line| line.starts_with('|'));
    assert_eq!(rows.count(), limits.len() + 2, "it says something that nobody has checked");
}
