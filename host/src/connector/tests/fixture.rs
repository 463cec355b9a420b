//! Components in text form, one behaviour each, that otherwise keep the contract.
//!
//! A core module with the contract's exports is written as text, its data laid out by hand as the canonical ABI wants
//! it, and made a component with the same encoder that `interlock connector build` uses.

use std::fmt::Write as _;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::connector::{
    types::{Descriptor, Features, KeyEncoding, OperationKind, OperationRules, Resolution, Setting, SettingKind},
    wrap,
};

pub const WIT: &str = include_str!("../../../../wit/connector.wit");
pub const URL: &str = "https://gateway.example/charges";

/// Runs for ever.
pub const SPIN: &str = "(loop $for_ever (br $for_ever)) (unreachable)";
/// Takes memory until there is no more, and gives up then.
pub const BOMB: &str = "(loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 64)) (i32.const 0)))) (unreachable)";
/// Calls itself until the stack is full.
pub const DEEP: &str = "(call $deep)";
pub const TRAP: &str = "(unreachable)";
/// Asks once, then says that nothing was processed.
pub const ASK_ONCE: &str = "(call $ask) (global.get $not_processed)";
/// Says that nothing was processed without asking.
pub const ASK_NEVER: &str = "(global.get $not_processed)";
/// Asks for ever.
pub const ASK_ALWAYS: &str = "(loop $again (call $ask) (br $again)) (unreachable)";

/// One component to be: wat for the bodies of its functions.
pub struct Fixture {
    /// The contract that it keeps, whichever version of it.
    pub wit: String,
    pub descriptor: Descriptor,
    /// Body of the core start function; none for no start function.
    pub start: Option<&'static str>,
    /// What `describe` does before it returns the descriptor.
    pub describe: &'static str,
    /// Leaves the address of the result.
    pub perform: String,
    pub receive: &'static str,
    /// Further fields of the module.
    pub beside: &'static str,
    /// Length of what `$giant` says, in bytes.
    pub giant_bytes: u32,
    /// The approval that `$captured` returns.
    pub currency: &'static str,
}

impl Default for Fixture {
    fn default() -> Self {
        Self {
            wit: WIT.to_owned(),
            descriptor: descriptor(),
            start: None,
            describe: "",
            perform: ASK_NEVER.to_owned(),
            receive: "(global.get $received)",
            beside: "",
            giant_bytes: 8 << 20,
            currency: "EUR",
        }
    }
}

/// A descriptor that passes.
pub fn descriptor() -> Descriptor {
    Descriptor {
        name: "fixture".to_owned(),
        version: "1.2.3".to_owned(),
        display_name: "Fixture".to_owned(),
        methods: vec!["card".to_owned()],
        currencies: vec!["EUR".to_owned()],
        origins: vec!["https://gateway.example".to_owned(), "setting:base_url".to_owned()],
        settings: vec![Setting {
            name: "base_url".to_owned(),
            kind: SettingKind::Url,
            key_encoding: KeyEncoding::Utf8,
            required: true,
            default: None,
            help: String::new(),
            identity: true,
        }],
        placements: vec![],
        operations: vec![OperationRules {
            kind: OperationKind::Authorize,
            resolutions: vec![Resolution::AwaitWebhook],
            settles_within_seconds: 60,
        }],
        features: Features { partial_capture: true, multiple_capture: false, partial_refund: true, cancel: true },
    }
}

/// A component whose `perform` is `body`.
pub fn performing(body: &str) -> Vec<u8> {
    Fixture { perform: body.to_owned(), ..Fixture::default() }.component()
}

impl Fixture {
    pub fn component(&self) -> Vec<u8> {
        wrap(&self.module()).unwrap()
    }

    /// The core module, with the contract in a custom section.
    pub fn module(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("connector.wit", &self.wit).unwrap();
        let world = resolve.select_world(&[package], Some("connector")).unwrap();
        let mut module = wat::parse_str(self.text()).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    fn text(&self) -> String {
        let mut data = Data::default();
        let (url, url_length) = data.text(URL);
        let (secret, secret_length) = data.text("webhook_secret");
        let descriptor = data.descriptor(&self.descriptor);
        let not_processed = data.put(&[0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let captured = data.captured(self.currency);
        let received = data.received();
        // Begins on the first page that `perform` has to grow into, so that it is all zeros.
        let giant = data.words(&[1, 0, 4 << 16, self.giant_bytes]);
        let version = self.version();
        let start = self.start.map_or(String::new(), |body| format!("(func $start {body}) (start $start)"));
        format!(
            r#"(module
  (import "interlock:connector/egress@{version}" "exchange" (func $exchange
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "interlock:connector/signatures@{version}" "verify" (func $verify (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "interlock:connector/log@{version}" "write" (func $write (param i32 i32 i32)))
  (memory (export "memory") 4)
  (global $free (mut i32) (i32.const 131072))
  (global $not_processed i32 (i32.const {not_processed}))
  (global $captured i32 (i32.const {captured}))
  (global $received i32 (i32.const {received}))
  (global $giant i32 (i32.const {giant}))
  (global $descriptor i32 (i32.const {descriptor}))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1)))))
    (local.get $at))
  (func $ask (call $exchange
    (i32.const 1) (i32.const {url}) (i32.const {url_length}) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256)))
  (func $check (call $verify
    (i32.const 0) (i32.const {secret}) (i32.const {secret_length}) (i32.const {url}) (i32.const {url_length})
    (i32.const {url}) (i32.const 4) (i32.const 256)))
  (func $say (call $write (i32.const 2) (i32.const {url}) (i32.const {url_length})))
  (func $deep (result i32) (i32.add (i32.const 1) (call $deep)))
  {start}
  {beside}
  (func (export "interlock:connector/description@{version}#describe") (result i32) {describe} (global.get $descriptor))
  (func (export "interlock:connector/gateway@{version}#perform") (param i32) (result i32) {perform})
  (func (export "interlock:connector/sessions@{version}#open-session") (param i32 i32 i64 i32 i32) (result i32)
    (i32.const 16))
  (func (export "interlock:connector/webhooks@{version}#receive")
    (param i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {receive})
  (func (export "interlock:connector/settlement@{version}#read") (param i32 i32 i64 i32 i32 i32 i32) (result i32)
    (i32.const 16))
  {segments})"#,
            beside = self.beside,
            describe = self.describe,
            perform = self.perform,
            receive = self.receive,
            segments = data.segments(),
        )
    }

    /// The version of the contract that it is written for.
    fn version(&self) -> &str {
        let package = self.wit.lines().find_map(|line| line.strip_prefix("package interlock:connector@"));
        package.and_then(|rest| rest.strip_suffix(';')).unwrap()
    }
}

/// A module's static data, from address 1024 on; below stands nothing but zeros.
#[derive(Default)]
struct Data {
    bytes: Vec<u8>,
}

impl Data {
    const BASE: usize = 1024;

    /// Puts bytes at the next multiple of eight; returns where.
    fn put(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = Self::BASE + self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        u32::try_from(at).unwrap()
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&bytes)
    }

    fn text(&mut self, text: &str) -> (u32, u32) {
        (self.put(text.as_bytes()), u32::try_from(text.len()).unwrap())
    }

    fn texts(&mut self, texts: &[String]) -> (u32, u32) {
        let words: Vec<u32> = texts.iter().map(|text| self.text(text)).flat_map(|(at, length)| [at, length]).collect();
        (self.words(&words), u32::try_from(texts.len()).unwrap())
    }

    /// A descriptor; placements and the fields of settings that no test changes are left out.
    fn descriptor(&mut self, of: &Descriptor) -> u32 {
        let mut words = Vec::new();
        for text in [&of.name, &of.version, &of.display_name] {
            words.extend(<[u32; 2]>::from(self.text(text)));
        }
        for texts in [&of.methods, &of.currencies, &of.origins] {
            words.extend(<[u32; 2]>::from(self.texts(texts)));
        }
        let settings: Vec<u32> = of
            .settings
            .iter()
            .flat_map(|setting| {
                let (name, length) = self.text(&setting.name);
                let flags = u32::from_le_bytes([setting.kind as u8, 0, u8::from(setting.required), 0]);
                [name, length, flags, 0, 0, 0, 0, 0, u32::from(setting.identity)]
            })
            .collect();
        words.extend([self.words(&settings), u32::try_from(of.settings.len()).unwrap(), 0, 0]);
        let rules: Vec<u32> = of
            .operations
            .iter()
            .flat_map(|rules| {
                // Each of the resolutions is `await-webhook`, the fourth case.
                let resolutions: Vec<u32> = rules.resolutions.iter().flat_map(|_| [3, 0]).collect();
                let (at, length) = (self.words(&resolutions), u32::try_from(rules.resolutions.len()).unwrap());
                [rules.kind as u32, at, length, rules.settles_within_seconds]
            })
            .collect();
        words.extend([self.words(&rules), u32::try_from(of.operations.len()).unwrap()]);
        let f = &of.features;
        words.push(u32::from_le_bytes(
            [f.partial_capture, f.multiple_capture, f.partial_refund, f.cancel].map(u8::from),
        ));
        self.words(&words)
    }

    /// `captured` with an approval of 12.50.
    fn captured(&mut self, currency: &str) -> u32 {
        let (reference, reference_length) = self.text("ch_1");
        let (currency, currency_length) = self.text(currency);
        let mut words = vec![0, 0, 1, 0, reference, reference_length, 1250, 0, currency, currency_length];
        words.resize(4 + 32, 0);
        self.words(&words)
    }

    /// A delivery of one notice, whose proof is what `verify` left at address 256.
    fn received(&mut self) -> u32 {
        // Empty: no events, acknowledged with 200 and nothing.
        self.words(&[0, 0, 0, 200, 0, 0, 0, 0])
    }

    fn segments(&self) -> String {
        let mut text = format!("(data (i32.const {}) \"", Self::BASE);
        self.bytes.iter().for_each(|byte| write!(text, "\\{byte:02x}").unwrap());
        text + "\")"
    }
}
