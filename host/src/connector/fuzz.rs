//! What is promised of components that are pushed and of what they return, for fuzzing: see [`crate::fuzzing`].

use std::{fmt::Debug, sync::LazyLock};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Engine, EngineConfig,
    bindings::IMPORTS,
    child::Depth,
    descriptor, embedded,
    inspect::{Contents, inspect},
    machine::{checked_delivery, checked_lines, checked_opening},
    reach, sanity,
    types::{Delivery, Descriptor, Failure, Line, Opening, OperationKind, Outcome, Request},
};
use crate::fuzzing::Dice;

/// Components that pass everything that can be read off their bytes are compiled and run where they are no larger.
const COMPILED_MAX_BYTES: usize = 64 << 10;
/// Enough for `describe`, and little enough to try a hundred loops a second.
const FUEL: u64 = 1_000_000;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let config = EngineConfig { threads: 1, fuel_max: FUEL, ..EngineConfig::new([0; 32]) };
    Engine::new(config).expect("the engine's settings are those of every host")
});

/// Whatever the bytes are, they are refused with a reason or let in.
pub fn admission(bytes: &[u8]) {
    // Read by the command line and by the kit, of components that nobody has judged.
    let _ = embedded(bytes);
    match inspect(bytes, &ENGINE.machine.config) {
        Err(reasons) => assert!(!reasons.is_empty(), "it is refused without a reason"),
        Ok(_) if bytes.len() > COMPILED_MAX_BYTES => {}
        Ok(_) => match ENGINE.judge_here(bytes, Depth::WithoutKit) {
            Err(refused) => assert!(!refused.reasons.is_empty(), "it is refused without a reason"),
            Ok((version, _)) => {
                assert_eq!(descriptor::check(version.descriptor()), Vec::<String>::new());
                shown(version.descriptor());
            }
        },
    }
}

/// What is believed of an outcome can be written down, and means the same when it is read again.
pub fn outcome(dice: &mut Dice<'_>) {
    let kind: OperationKind = dice.roll();
    let outcome: Outcome = dice.roll();
    if sanity::outcome(&outcome, kind).is_ok() {
        kept(&outcome);
    }
}

/// So it is with what is read from a webhook.
pub fn delivery(dice: &mut Dice<'_>) {
    let delivery: Delivery = dice.roll();
    if let Ok(Ok(delivery)) = checked_delivery(Ok(delivery)) {
        kept(&delivery);
    }
}

/// And with everything else.
pub fn other_answers(dice: &mut Dice<'_>) {
    let failure = sanity::failure(&dice.roll::<Failure>());
    kept(&failure);
    if let Ok(Some(opening)) = checked_opening(dice.roll::<Option<Opening>>()) {
        kept(&opening);
    }
    if let Ok(Ok(lines)) = checked_lines(Ok(dice.roll::<Vec<Line>>())) {
        kept(&lines);
    }
}

/// A request is the same after it was written down: a run that asks for it again has not diverged.
pub fn request(request: &Request) {
    if sanity::request(request).is_ok() {
        kept(request);
    }
}

/// A descriptor that passes, which reads well; none where it does not pass.
pub fn descriptor(dice: &mut Dice<'_>) -> Option<Descriptor> {
    let descriptor: Descriptor = dice.roll();
    descriptor::check(&descriptor).is_empty().then(|| {
        shown(&descriptor);
        descriptor
    })
}

/// What the operator reads before letting it in.
fn shown(descriptor: &Descriptor) {
    let contents = Contents::with_imports(&IMPORTS);
    for sentence in reach::sentences(descriptor, &contents) {
        assert!(!sentence.chars().any(is_misleading), "{sentence:?} does not read as it is written");
    }
}

/// Characters that move the cursor, change the order of letters, or are not seen.
fn is_misleading(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn kept<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("what guests return can be written down");
    // As the journal reads it: by way of Postgres's jsonb, which knows no NUL. Escaped backslashes come first: what
    // stands behind one is text.
    assert!(!text.replace("\\\\", "").contains("\\u0000"), "{text} cannot be stored");
    assert_eq!(serde_json::from_str::<T>(&text).as_ref().ok(), Some(value));
}
