//! Runs at the very edge of each bound: what fits is well, one more is not.

use std::sync::Arc;

use super::{
    admitted, cancel, config, context, engine,
    fixture::{ASK_NEVER, BOMB, Fixture, performing},
};
use crate::connector::{
    Engine, EngineConfig, RunError, Step, TrapKind, Version,
    bounds::Bounds,
    run::Run,
    types::{OperationKind, Outcome},
};

const WELL: Result<Step, RunError> = Ok(Step::Done(Outcome::NotProcessed(None)));

fn performed(engine: &Engine, version: &Version) -> Result<Step, RunError> {
    engine.perform_here(version, &context(), &cancel(), Arc::default())
}

fn trap(result: &Result<Step, RunError>) -> Option<TrapKind> {
    match result {
        Err(RunError::Trapped { kind, .. }) => Some(*kind),
        _ => None,
    }
}

/// With so much fuel, and everything else as ever.
fn fuelled(engine: &Engine, version: &Version, fuel: u64) -> Result<Step, RunError> {
    let bounds = Bounds { fuel, deadline_ticks: u64::MAX / 2, copied_out_max_bytes: 1 << 20 };
    let run = Run::of_operation(engine.machine.run_limits(), Arc::default());
    let finished = engine.machine.execute_within(bounds, &version.program, run, |exports, store, instance| {
        exports.perform(store, instance, &context(), &cancel())
    });
    finished.step(OperationKind::Cancel)
}

/// There is one number of instructions that a run takes, the same on every engine; with one fewer it ends, and says so.
#[test]
fn fuel_ends_a_run_at_the_same_instruction_every_time() {
    let component = performing(
        "(local $i i32) (loop $again (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 100)))) (global.get $not_processed)",
    );
    let edges: Vec<u64> = (0..2)
        .map(|_| {
            let engine = engine();
            let version = admitted(&engine, &component);
            let (mut too_little, mut enough) = (0, 1_000_000);
            while too_little + 1 < enough {
                let middle = u64::midpoint(too_little, enough);
                match fuelled(&engine, &version, middle) {
                    WELL => enough = middle,
                    ended => {
                        assert_eq!(trap(&ended), Some(TrapKind::Fuel), "{ended:?}");
                        too_little = middle;
                    }
                }
            }
            for _ in 0..3 {
                assert_eq!(fuelled(&engine, &version, enough), WELL);
                assert_eq!(trap(&fuelled(&engine, &version, enough - 1)), Some(TrapKind::Fuel));
            }
            enough
        })
        .collect();
    assert_eq!(edges[0], edges[1]);
    assert!(edges[0] > 100, "the loop is not free: {edges:?}");
}

/// The last byte of the last page can be written to; there is no page after it, and no byte.
#[test]
fn memory_ends_at_its_last_page() {
    let engine = engine();
    let pages = config().memory_max_bytes >> 16;
    let all = format!(
        "(if (i32.ne (memory.grow (i32.const {})) (i32.const 4)) (then (unreachable)))
         (i32.store8 (i32.const {}) (i32.const 1))
         (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))",
        pages - 4,
        config().memory_max_bytes - 1
    );
    let within = admitted(&engine, &performing(&format!("{all} (global.get $not_processed)")));
    assert_eq!(performed(&engine, &within), WELL);
    let beyond = format!("{all} (i32.load8_u (i32.const {}))", config().memory_max_bytes);
    let beyond = admitted(&engine, &performing(&beyond));
    assert_eq!(trap(&performed(&engine, &beyond)), Some(TrapKind::Memory));
    let more = format!("(if (i32.ne (memory.grow (i32.const {})) (i32.const -1)) (then (unreachable)))", pages - 3);
    let more = admitted(&engine, &performing(&format!("{more} (global.get $not_processed)")));
    assert_eq!(performed(&engine, &more), WELL, "one page too many at once is refused as a whole");
}

/// So it is with the elements of a table.
#[test]
fn a_table_ends_at_its_last_element() {
    let engine = engine();
    let perform =
        "(if (i32.ne (table.grow $grown (ref.null func) (i32.const 19999)) (i32.const 1)) (then (unreachable)))
        (if (i32.ne (table.grow $grown (ref.null func) (i32.const 1)) (i32.const -1)) (then (unreachable)))
        (global.get $not_processed)";
    let fixture = Fixture { perform: perform.to_owned(), beside: "(table $grown 1 funcref)", ..Fixture::default() };
    assert_eq!(performed(&engine, &admitted(&engine, &fixture.component())), WELL);
}

/// What a call takes out of a component is bounded before it is taken: texts, lists of millions, lines for the log.
#[test]
fn giants_do_not_leave_the_sandbox() {
    let engine = engine();
    // All but the header list of a GET to the first text of the data.
    let ask = |list: u32, length: u32| {
        format!(
            "(drop (memory.grow (i32.const 900))) (call $exchange (i32.const 0) (i32.const 1024) (i32.const 31)
               (i32.const {list}) (i32.const {length}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
             (global.get $not_processed)"
        )
    };
    let url = "(drop (memory.grow (i32.const 900))) (call $exchange (i32.const 0) (i32.const 262144)
            (i32.const 50000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
        (global.get $not_processed)";
    let verified = "(drop (memory.grow (i32.const 900))) (call $verify (i32.const 0) (i32.const 262144)
            (i32.const 50000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
        (global.get $not_processed)";
    let line =
        "(drop (memory.grow (i32.const 900))) (call $write (i32.const 2) (i32.const 262144) (i32.const 50000000))
        (global.get $not_processed)";
    for (what, body, expected) in [
        ("a list of three million headers", ask(262_144, 3_000_000), TrapKind::CopiedOut),
        ("a list that ends outside of its memory", ask(262_144, 100_000_000), TrapKind::Fault),
        ("a list longer than any memory", ask(262_144, u32::MAX / 2), TrapKind::Fault),
        ("a URL of 50 MB", url.to_owned(), TrapKind::CopiedOut),
        ("the name of a secret of 50 MB", verified.to_owned(), TrapKind::CopiedOut),
        ("a line of 50 MB", line.to_owned(), TrapKind::CopiedOut),
    ] {
        let result = performed(&engine, &admitted(&engine, &performing(&body)));
        assert_eq!(trap(&result), Some(expected), "{what}: {result:?}");
    }
}

/// One connector writes a pattern over all the memory it can have. Neither it nor another one, of another merchant,
/// finds a byte of it in what it gets next, wherever the pool keeps pages instead of giving them back.
#[test]
fn no_run_finds_what_another_has_left() {
    // Every kind of keeping: nothing, the default, more than there is.
    for kept in [0, EngineConfig::new([0; 32]).memory_keep_resident_bytes, 64 << 20] {
        let settings = EngineConfig { threads: 1, fuel_max: 1 << 30, memory_keep_resident_bytes: kept, ..config() };
        let engine = Engine::new(settings).unwrap();
        let each = |work: &str| {
            format!(
                "(local $at i32) (drop (memory.grow (i32.const 1020))) (local.set $at (i32.const 196608))
                 (loop $next {work} (local.set $at (i32.add (local.get $at) (i32.const 8)))
                   (br_if $next (i32.lt_u (local.get $at) (i32.const 67108864)))) (global.get $not_processed)"
            )
        };
        let canary = "(i64.store (local.get $at) (i64.const 0x7fca11a7e5ca11a7))";
        let writes = admitted(&engine, &performing(&each(canary)));
        let looks = admitted(
            &engine,
            &performing(&each("(if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))")),
        );
        for _ in 0..3 {
            assert_eq!(performed(&engine, &writes), WELL);
            assert_eq!(performed(&engine, &looks), WELL, "with {kept} bytes kept");
        }
        // Also where the one before it was ended in the middle.
        let bombs = admitted(&engine, &performing(&format!("(i64.store (i32.const 200000) (i64.const -1)) {BOMB}")));
        assert_eq!(trap(&performed(&engine, &bombs)), Some(TrapKind::Memory));
        assert_eq!(performed(&engine, &looks), WELL);
    }
}

/// Globals and tables begin anew as well: a counter of runs counts to one.
#[test]
fn no_run_can_count_the_runs_before_it() {
    let engine = engine();
    let perform = "(global.set $runs (i32.add (global.get $runs) (i32.const 1)))
        (if (i32.ne (global.get $runs) (i32.const 1)) (then (unreachable)))
        (if (i32.eqz (ref.is_null (table.get $seen (i32.const 0)))) (then (unreachable)))
        (table.set $seen (i32.const 0) (ref.func $say)) (global.get $not_processed)";
    let beside = "(global $runs (mut i32) (i32.const 0)) (table $seen 4 funcref) (elem declare func $say)";
    let fixture = Fixture { perform: perform.to_owned(), beside, ..Fixture::default() };
    let version = admitted(&engine, &fixture.component());
    for _ in 0..20 {
        assert_eq!(performed(&engine, &version), WELL);
    }
    assert_eq!(performed(&engine, &admitted(&engine, &performing(ASK_NEVER))), WELL);
}
