//! Whatever one run does, it ends that run and nothing else.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    admitted, answered, cancel, config, context, engine,
    fixture::{ASK_NEVER, ASK_ONCE, BOMB, DEEP, Fixture, SPIN, TRAP, performing},
};
use crate::connector::{
    Engine, EngineConfig, RunError, Step, TrapKind, Version,
    types::{Failure, Outcome},
};

async fn run(engine: &Engine, version: &Arc<Version>) -> Result<Step, RunError> {
    engine.perform(version, &context(), &cancel(), Arc::default()).await
}

#[tokio::test]
async fn every_way_to_misbehave_has_its_name_and_the_next_run_is_well() {
    let engine = engine();
    let well = admitted(&engine, &performing(ASK_NEVER));
    for (what, body, expected) in [
        ("a loop", SPIN, TrapKind::Fuel),
        ("a memory bomb", BOMB, TrapKind::Memory),
        ("a recursion", DEEP, TrapKind::Stack),
        ("a trap", TRAP, TrapKind::Unreachable),
        ("out of bounds", "(i32.load (i32.const -8))", TrapKind::Fault),
        ("a bad pointer", "(i32.const -8)", TrapKind::Fault),
        ("a bad case", "(i32.store8 (i32.const 512) (i32.const 9)) (i32.const 512)", TrapKind::Fault),
        ("a division by zero", "(i32.div_u (i32.const 1) (i32.const 0))", TrapKind::Fault),
        ("a giant outcome", "(drop (memory.grow (i32.const 200))) (global.get $giant)", TrapKind::CopiedOut),
    ] {
        let version = admitted(&engine, &performing(body));
        let result = run(&engine, &version).await;
        let Err(RunError::Trapped { kind, detail }) = &result else { panic!("{what}: {result:?}") };
        assert_eq!(*kind, expected, "{what}: {detail}");
        assert!(detail.len() <= 2048);
        assert_eq!(result, run(&engine, &version).await, "{what} ends the same every time");
        assert_eq!(run(&engine, &well).await, Ok(Step::Done(Outcome::NotProcessed(None))), "after {what}");
    }
}

#[tokio::test]
async fn what_fuel_does_not_end_the_clock_does() {
    let engine =
        Engine::new(EngineConfig { fuel_max: u64::MAX, run_time_max: Duration::from_millis(100), ..config() }).unwrap();
    let version = admitted(&engine, &performing(SPIN));
    let began = Instant::now();
    let result = run(&engine, &version).await;
    assert!(matches!(result, Err(RunError::Trapped { kind: TrapKind::Time, .. })), "{result:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// An instance that has written all over its memory leaves none of it to the next.
#[tokio::test]
async fn nothing_is_left_for_the_next_run() {
    let engine = Engine::new(EngineConfig { threads: 1, ..config() }).unwrap();
    // Traps where a byte of the last page is set; sets it.
    let body = "(if (i32.load8_u (i32.const 262000)) (then (unreachable)))
        (i32.store8 (i32.const 262000) (i32.const 1)) (global.get $not_processed)";
    let version = admitted(&engine, &performing(body));
    for _ in 0..50 {
        assert_eq!(run(&engine, &version).await, Ok(Step::Done(Outcome::NotProcessed(None))));
    }
}

#[tokio::test]
async fn an_outcome_that_breaks_a_rule_is_not_used() {
    let engine = engine();
    for (currency, good) in [("EUR", true), ("eur", false), ("EURO", false), ("", false), ("E\0R", false)] {
        let fixture = Fixture { perform: "(global.get $captured)".to_owned(), currency, ..Fixture::default() };
        let result = run(&engine, &admitted(&engine, &fixture.component())).await;
        match result {
            Ok(Step::Done(Outcome::Captured(approval))) => {
                assert!(good, "{currency:?}");
                assert_eq!((approval.amount.minor_units, approval.gateway_reference.as_str()), (1250, "ch_1"));
            }
            Err(RunError::BadOutcome { detail }) => assert!(!good && detail.contains("amount"), "{detail}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_long_failure_is_cut_and_can_be_stored() {
    let engine = engine();
    let fixture = Fixture {
        perform: "(drop (memory.grow (i32.const 30))) (global.get $giant)".to_owned(),
        giant_bytes: 1 << 20,
        ..Fixture::default()
    };
    let result = run(&engine, &admitted(&engine, &fixture.component())).await;
    let Ok(Step::Failed(Failure { message })) = result else { panic!("{result:?}") };
    assert!(message.len() <= 4096 && !message.contains('\0'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_runs_at_once_all_end_well() {
    let engine = Arc::new(engine());
    let version = admitted(&engine, &performing(ASK_ONCE));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (engine, version) = (Arc::clone(&engine), Arc::clone(&version));
        tasks.spawn(async move {
            for _ in 0..20 {
                let step = run(&engine, &version).await.unwrap();
                let Step::Send(request) = step else { panic!("{step:?}") };
                let transcript = Arc::new(vec![answered(request, 200, "{}")]);
                let step = engine.perform(&version, &context(), &cancel(), transcript).await.unwrap();
                assert_eq!(step, Step::Done(Outcome::NotProcessed(None)));
            }
        });
    }
    assert_eq!(tasks.join_all().await.len(), 64);
    assert_eq!(engine.waiting(), 0);
}

/// Runs that hang do not keep others out of the instances, nor the host from saying no.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_so_at_once() {
    let slow = EngineConfig {
        threads: 1,
        queue_max: 2,
        fuel_max: u64::MAX,
        run_time_max: Duration::from_millis(500),
        ..config()
    };
    let engine = Arc::new(Engine::new(slow).unwrap());
    let version = admitted(&engine, &performing(SPIN));
    let (mut first, mut waiting) = (JoinSet::new(), JoinSet::new());
    let spawn = |tasks: &mut JoinSet<_>| {
        let (engine, version) = (Arc::clone(&engine), Arc::clone(&version));
        tasks.spawn(async move { run(&engine, &version).await });
    };
    spawn(&mut first);
    // Until the only thread has taken it.
    tokio::time::sleep(Duration::from_millis(100)).await;
    spawn(&mut waiting);
    spawn(&mut waiting);
    while engine.waiting() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let began = Instant::now();
    assert_eq!(run(&engine, &version).await, Err(RunError::Busy));
    assert!(began.elapsed() < Duration::from_millis(400), "it did not wait for the run that hangs");
    // Whose caller has gone away is not run at all.
    waiting.shutdown().await;
    assert!(matches!(first.join_all().await[..], [Err(RunError::Trapped { kind: TrapKind::Time, .. })]));
    let emptied = async {
        while engine.waiting() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_millis(900), emptied).await.unwrap();
}

/// What a connector logs belongs to it and is bounded; a replayed run does not say again what was said.
#[test]
fn logs_are_bounded_and_said_once() {
    let (lines, written) = mpsc::channel();
    let subscriber = Lines(lines);
    let chatty = "(local $i i32) (loop $again (call $say) (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 1000)))) (call $ask) (call $say) (global.get $not_processed)";
    let engine = engine();
    let version = admitted(&engine, &performing(chatty));
    tracing::subscriber::with_default(subscriber, || {
        let step = engine.perform_here(&version, &context(), &cancel(), Arc::default()).unwrap();
        let Step::Send(request) = step else { panic!("{step:?}") };
        assert_eq!(written.try_iter().count(), 64);
        let transcript = Arc::new(vec![answered(request, 200, "{}")]);
        engine.perform_here(&version, &context(), &cancel(), transcript).unwrap();
        assert_eq!(written.try_iter().count(), 1);
    });
}

/// What a connector says is one line of its own, also where it is made to look like several, or to move a terminal's
/// cursor.
#[test]
fn a_line_is_one_line() {
    let (lines, written) = mpsc::channel();
    // "a\r\nb\x1b[2J" at the address after the data.
    let perform = "(i64.store (i32.const 100000) (i64.const 0x4a325b1b620a0d61))
        (call $write (i32.const 2) (i32.const 100000) (i32.const 8)) (global.get $not_processed)";
    let engine = engine();
    let version = admitted(&engine, &performing(perform));
    tracing::subscriber::with_default(Texts(lines), || {
        engine.perform_here(&version, &context(), &cancel(), Arc::default()).unwrap();
    });
    assert_eq!(written.try_iter().collect::<Vec<_>>(), ["a  b [2J"]);
}

/// The messages of connectors.
struct Texts(mpsc::Sender<String>);

impl tracing::field::Visit for &Texts {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.send(format!("{value:?}")).unwrap();
        }
    }
}

impl tracing::Subscriber for Texts {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "connector"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut &*self);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Counts events of connectors.
struct Lines(mpsc::Sender<()>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "connector"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.send(()).unwrap();
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
