//! Components that nobody would write (wasm-smith, wasm-mutate, damaged bytes; see `tests/smith`), judged as a host judges
//! them: by a process of its own. Each is refused with a reason or let in, and then run; the host lives on.

use std::{
    fs, panic,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use interlock::connector::{
    Admission, Engine, EngineConfig, RunError, Version,
    child::{Child, Limits},
    types::{Action, Cancel, Context, Operation},
    wrap,
};
use interlock_tests::harness::{programs, target};

/// Files of each kind of one seed.
const COUNT: usize = 6;
/// Tried on every run; another one is drawn each time, and printed.
const SEEDS: [u64; 2] = [1, 20_260_101];
/// Enough for a component that does nothing, little enough for one that loops.
const FUEL: u64 = 20_000_000;

/// What the generators made of `seed`, by kind.
fn made(seed: u64, kinds: &[&str]) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("fuzz/seeds/admission");
    let program: PathBuf = target("smith").join("debug/interlock-smith");
    let status = Command::new(&program)
        .args([seed.to_string(), COUNT.to_string()])
        .args([seeds.join("contract.wasm"), seeds.join("module.wasm"), folder.path().to_owned()])
        .status()
        .unwrap_or_else(|error| panic!("{}: {error}; `make test` builds it", program.display()));
    assert!(status.success(), "seed {seed}");
    let mut files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let named = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        (format!("{name} of seed {seed}"), fs::read(&file).unwrap())
    });
    named.filter(|(name, _)| kinds.iter().any(|kind| name.starts_with(kind))).collect()
}

fn seeds() -> [u64; 3] {
    let drawn = fastrand::u64(..);
    eprintln!("this time the third seed is {drawn}");
    [SEEDS[0], SEEDS[1], drawn]
}

fn engine() -> Engine {
    let admission = Admission::Child(Child { program: programs().join("interlock"), limits: Limits::default() });
    Engine::new(EngineConfig { admission, threads: 1, fuel_max: FUEL, ..EngineConfig::new([7; 32]) }).unwrap()
}

/// It is refused for what it is, or it runs and ends.
fn judged(engine: &Engine, name: &str, component: &[u8]) -> Option<Arc<Version>> {
    match engine.load(component) {
        Err(refused) => {
            assert!(!refused.reasons.is_empty(), "{name} is refused without a reason");
            for reason in &refused.reasons {
                assert!(!reason.detail.is_empty() && !reason.hint.is_empty(), "{name}: {reason}");
                // The process that judged it has answered: it did not die of it.
                assert_ne!(reason.code.name(), "not_judged", "{name}: {reason}");
            }
            None
        }
        Ok(version) => {
            let operation = Operation {
                id: "op_1".to_owned(),
                payment_id: "pay_1".to_owned(),
                references: Vec::new(),
                action: Action::Cancel(Cancel { target_id: "op_0".to_owned(), reason: None }),
            };
            let context = Context { settings: Vec::new(), now: 0, nonce: Vec::new() };
            let ran = || engine.perform_here(&version, &context, &operation, Arc::default());
            let ended = ran();
            assert!(!matches!(ended, Err(RunError::Panicked | RunError::Busy)), "{name}: {ended:?}");
            assert_eq!(ended, ran(), "{name} is the same every time");
            Some(version)
        }
    }
}

/// Components and modules of a generator, and damaged copies of a good component.
#[test]
fn components_of_a_generator_and_damaged_ones_are_judged() {
    let engine = engine();
    for seed in seeds() {
        let all = made(seed, &["component", "module", "flipped", "cut", "shuffled"]);
        assert_eq!(all.len(), 5 * COUNT);
        for (name, component) in &all {
            judged(&engine, name, component);
        }
    }
}

/// Components that keep the contract, and have what a generator made run beside it: some are let in, and do what they
/// do within the bounds of a run.
#[test]
fn what_a_generator_makes_is_run() {
    let engine = engine();
    let mut admitted = 0;
    for seed in seeds() {
        for (name, component) in &made(seed, &["nested"]) {
            admitted += usize::from(judged(&engine, name, component).is_some());
        }
    }
    assert!(admitted > 0, "none of them is let in: this test shows nothing");
}

/// A core module of the contract with its instructions changed at random, wrapped and judged: where it still passes, it
/// does what the change has made of it.
#[test]
fn mutants_of_a_good_connector_are_judged() {
    let engine = engine();
    let mut judged_ones = 0;
    for seed in seeds() {
        for (name, module) in &made(seed, &["mutant"]) {
            // Wrapping is the author's; a tool that gives up on a mutant is no harm to a host.
            if let Ok(Ok(component)) = panic::catch_unwind(|| wrap(module)) {
                judged(&engine, name, &component);
                judged_ones += 1;
            }
        }
    }
    assert!(judged_ones > 0, "none of them could be wrapped: this test shows nothing");
}
