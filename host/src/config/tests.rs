//! Who is believed, and what is said of values that cannot be used.

use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn sound() -> Layers {
    Layers::default()
        .with_default(&table::DATABASE_URL, "postgres://someone:hidden@localhost/payments")
        .with_default(&table::OPERATOR_TOKEN, "a-token-of-an-operator")
        .with_default(&table::MASTER_KEY, KEY)
}

fn environment(pairs: &[(&str, &str)]) -> Layers {
    let pairs = pairs.iter().map(|(name, text)| ((*name).into(), (*text).into()));
    sound().with_environment(pairs).map_or_else(|error| panic!("{error}"), |(layers, _)| layers)
}

fn error_of(layers: &Layers) -> String {
    Config::read(layers).err().expect("it must be refused").to_string()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = Config::new("postgres://localhost/payments", "token", [0; 32]);
    assert_eq!(config.public_addr.to_string(), "127.0.0.1:8080");
    assert_eq!(config.operator_addr.to_string(), "127.0.0.1:8081");
    assert_eq!(config.gateway_timeout, Duration::from_secs(30));
    assert_eq!(config.answer_timeout, Duration::from_secs(25));
    assert_eq!(config.lease, Duration::from_secs(35));
    assert_eq!(config.verify_delays.iter().map(Duration::as_secs).sum::<u64>(), 79_200);
    assert!(config.verify_delays.iter().map(Duration::as_secs).sum::<u64>() < 86_400, "all checks within a day");
    assert_eq!(config.webhook_delays.len(), 9);
    assert!(config.outbox_wake);
    assert_eq!(config.event_retention.as_secs(), 2_592_000);
    assert_eq!(config.action_ttl.as_secs(), 3_600);
    assert_eq!(config.created_ttl.as_secs(), 86_400);
    assert_eq!(config.idempotency_ttl.as_secs(), 259_200);
    assert_eq!(config.body_max_bytes, 1 << 20);
    assert_eq!(config.database_connections_max, 16);
    assert!(config.engine_threads >= 2);
    assert!(!config.allow_private_networks);
    assert!(config.tls.is_none() && config.connectors_dir.is_none() && config.retired_master_keys.is_empty());
    assert!(config.cache_dir.ends_with("interlock"));
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let said = |flag: Option<&str>, variable: &str, file: &str| {
        let layers = environment(&[("INTERLOCK_GATEWAY_TIMEOUT_MS", variable)])
            .with_flags(|setting| flag.filter(|_| setting.flag() == "gateway-timeout-ms").map(str::to_owned))
            .with_file_text("interlock.toml", file)
            .expect("the file is sound");
        Config::read(&layers).map(|config| config.gateway_timeout.as_millis()).expect("the values are sound")
    };
    assert_eq!(said(Some("1"), "2", "gateway_timeout_ms = 3"), 1);
    assert_eq!(said(None, "2", "gateway_timeout_ms = 3"), 2);
    assert_eq!(said(None, "", "gateway_timeout_ms = 3"), 3, "an empty variable is not set");
    assert_eq!(said(None, "", ""), 30_000);
}

#[test]
fn the_lease_follows_the_time_out_unless_it_is_set() {
    let lease = |pairs: &[(&str, &str)]| Config::read(&environment(pairs)).expect("sound").lease.as_millis();
    assert_eq!(lease(&[("INTERLOCK_GATEWAY_TIMEOUT_MS", "1000")]), 6_000);
    assert_eq!(lease(&[("INTERLOCK_GATEWAY_TIMEOUT_MS", "1000"), ("INTERLOCK_LEASE_MS", "500")]), 500);
}

#[test]
fn doubtful_values_are_taken_and_named() {
    let config = Config::read(&environment(&[("INTERLOCK_LEASE_MS", "500"), ("INTERLOCK_OPERATOR_TOKEN", "short")]));
    let doubts = config.expect("they are allowed").doubts();
    assert_eq!(doubts.len(), 2);
    assert!(doubts.iter().all(|doubt| !doubt.contains("short")));
}

#[test]
fn a_file_may_hold_every_kind_of_value() {
    let file = "public_addr = \"[::1]:0\"\nverify_delays = [0.25, 30]\nallow_private_networks = true\n\
                webhook_delays = \"5, 7\"\n";
    let config = Config::read(&sound().with_file_text("interlock.toml", file).expect("sound")).expect("sound");
    assert_eq!(config.public_addr.to_string(), "[::1]:0");
    assert_eq!(config.verify_delays, [Duration::from_millis(250), Duration::from_secs(30)]);
    assert_eq!(config.webhook_delays, [Duration::from_secs(5), Duration::from_secs(7)]);
    assert!(config.allow_private_networks);
}

#[test]
fn a_key_may_be_written_in_several_ways() {
    for key in [KEY, KEY.trim_end_matches('='), "-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &format!(" {KEY}\n")] {
        let config = Config::read(&environment(&[("INTERLOCK_MASTER_KEY", key)]));
        assert!(config.is_ok(), "{}", config.err().map(|error| error.to_string()).unwrap_or_default());
    }
    let retired = Config::read(&environment(&[("INTERLOCK_RETIRED_MASTER_KEYS", &format!("{KEY},{KEY}"))]));
    assert_eq!(retired.expect("two keys").retired_master_keys.len(), 2);
}

#[test]
fn keys_that_vouch_for_connectors_may_have_names() {
    let keys = |text: &str| {
        let config = Config::read(&environment(&[("INTERLOCK_CONNECTOR_KEYS", text)]));
        config.map(|config| config.connector_keys).map_err(|error| error.to_string())
    };
    let other = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let read = keys(&format!("release={KEY}, {other}")).expect("two keys");
    assert_eq!((read[0].name.as_deref(), read[0].text()), (Some("release"), KEY.to_owned()));
    assert_eq!((read[1].name.as_deref(), read[1].text()), (None, other.to_owned()));
    assert!(keys("").expect("not set").is_empty());
    for (text, said) in [
        ("release=".to_owned(), "`release=` is no key of 32 bytes in base64"),
        (format!("{KEY},"), "`` is no key of 32 bytes"),
        (format!("a b={KEY}"), "`a b` is no name of a key"),
        (format!("a={KEY},b={KEY}"), "is there twice"),
        (format!("a={KEY},a={other}"), "is there twice"),
    ] {
        assert!(keys(&text).is_err_and(|error| error.contains(said)), "{text}");
    }
}

/// Each row: a variable, a value that cannot be used, and what the error says.
#[test]
fn a_value_that_cannot_be_used_gets_one_clear_error() {
    const ROWS: &[(&str, &str, &str)] = &[
        (
            "INTERLOCK_PUBLIC_ADDR",
            "8080",
            "INTERLOCK_PUBLIC_ADDR is `8080`: that is no address to listen at; write an address and a port, such as \
             127.0.0.1:8080 or [::]:8080",
        ),
        ("INTERLOCK_OPERATOR_ADDR", "example.com:1", "INTERLOCK_OPERATOR_ADDR is `example.com:1`: that is no address"),
        ("INTERLOCK_OPERATOR_ADDR", "127.0.0.1:65536", "that is no address to listen at"),
        (
            "INTERLOCK_GATEWAY_TIMEOUT_MS",
            "30s",
            "INTERLOCK_GATEWAY_TIMEOUT_MS is `30s`: that is no whole number; write a whole number of milliseconds from \
             1 to 600000",
        ),
        ("INTERLOCK_GATEWAY_TIMEOUT_MS", "0", "that is too small"),
        ("INTERLOCK_GATEWAY_TIMEOUT_MS", "-1", "that is no whole number"),
        ("INTERLOCK_GATEWAY_TIMEOUT_MS", "600001", "that is too large"),
        ("INTERLOCK_ANSWER_TIMEOUT_MS", "1.5", "that is no whole number"),
        ("INTERLOCK_LEASE_MS", "0", "that is too small"),
        ("INTERLOCK_VERIFY_DELAYS", "30,,600", "`` is no number of seconds up to 30 days; write seconds separated by"),
        ("INTERLOCK_VERIFY_DELAYS", "30,x", "`x` is no number of seconds"),
        ("INTERLOCK_VERIFY_DELAYS", "2592001", "is no number of seconds"),
        ("INTERLOCK_VERIFY_DELAYS", "0.0001", "is no number of seconds"),
        ("INTERLOCK_WEBHOOK_DELAYS", "-5", "is no number of seconds"),
        ("INTERLOCK_ACTION_TTL_S", "0", "that is too small; write a whole number of seconds from 1 to 31536000"),
        ("INTERLOCK_CREATED_TTL_S", "99999999", "that is too large"),
        ("INTERLOCK_IDEMPOTENCY_TTL_S", "three days", "that is no whole number"),
        ("INTERLOCK_ALLOW_PRIVATE_NETWORKS", "yes", "that is neither yes nor no; write true or false"),
        ("INTERLOCK_DATABASE_CONNECTIONS_MAX", "1", "that is too small; write a whole number of connections from 2"),
        ("INTERLOCK_ENGINE_THREADS", "0", "that is too small; write a whole number of threads from 1"),
        ("INTERLOCK_BODY_MAX_BYTES", "1MiB", "that is no whole number; write a whole number of bytes"),
        ("INTERLOCK_CONNECTORS_DIR", "/nowhere/at/all", "name the folder that holds the components"),
        ("INTERLOCK_TLS_CERT", "/nowhere/cert.pem", "that cannot be read (No such file or directory"),
        ("INTERLOCK_TLS_KEY", "/", "that is no file"),
        ("DATABASE_URL", "mysql://someone:hidden@localhost/payments", "DATABASE_URL does not begin with postgres://;"),
        ("DATABASE_URL", "postgres://someone:hidden@localhost:port/x", "DATABASE_URL is no URL of a Postgres database"),
        ("INTERLOCK_OPERATOR_TOKEN", "two words hidden", "has characters that do not go into a header"),
        (
            "INTERLOCK_MASTER_KEY",
            "hidden!",
            "INTERLOCK_MASTER_KEY is not base64; `openssl rand -base64 32` makes a key",
        ),
        ("INTERLOCK_MASTER_KEY", "aGlkZGVu", "has 6 bytes where 32 are needed"),
        ("INTERLOCK_RETIRED_MASTER_KEYS", "aGlkZGVu,", "has 6 bytes where 32 are needed"),
    ];
    for (variable, text, expected) in ROWS {
        let error = error_of(&environment(&[(variable, text)]));
        assert!(error.starts_with(variable), "{error}");
        assert!(error.contains(expected), "{error}\nlacks {expected}");
        assert!(!error.contains("hidden") && !error.contains("aGlkZGVu"), "a secret was repeated: {error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn the_error_names_where_the_value_was_said() {
    let flag = sound().with_flags(|setting| (setting.flag() == "lease-ms").then(|| "x".to_owned()));
    assert!(error_of(&flag).starts_with("INTERLOCK_LEASE_MS (--lease-ms) is `x`"), "{}", error_of(&flag));
    let file = sound().with_file_text("interlock.toml", "lease_ms = \"x\"").expect("it is TOML");
    assert!(error_of(&file).starts_with("INTERLOCK_LEASE_MS (lease_ms in interlock.toml) is"), "{}", error_of(&file));
}

#[test]
fn what_serve_cannot_do_without_is_named() {
    for (without, name) in [
        (&table::DATABASE_URL, "DATABASE_URL is not set"),
        (&table::OPERATOR_TOKEN, "INTERLOCK_OPERATOR_TOKEN is not set"),
        (&table::MASTER_KEY, "INTERLOCK_MASTER_KEY is not set"),
    ] {
        let mut layers = Layers::default();
        for (setting, text) in [
            (&table::DATABASE_URL, "postgres://localhost/payments"),
            (&table::OPERATOR_TOKEN, "token"),
            (&table::MASTER_KEY, KEY),
        ] {
            if setting.name != without.name {
                layers = layers.with_default(setting, text);
            }
        }
        assert!(error_of(&layers).starts_with(name), "{}", error_of(&layers));
    }
}

#[test]
fn one_half_of_a_certificate_is_not_enough() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let path = file.path().to_str().expect("a plain path");
    let error = error_of(&environment(&[("INTERLOCK_TLS_CERT", path)]));
    assert_eq!(error, "INTERLOCK_TLS_KEY is not set and the other half is; set both, or neither");
    let both = environment(&[("INTERLOCK_TLS_CERT", path), ("INTERLOCK_TLS_KEY", path)]);
    assert!(Config::read(&both).is_ok_and(|config| config.tls.is_some()));
}

#[test]
fn an_unknown_key_of_the_file_is_refused_with_the_nearest() {
    let error_of = |text: &str| match sound().with_file_text("interlock.toml", text) {
        Ok(_) => panic!("it must be refused"),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        error_of("gateway_timeout = 1"),
        "interlock.toml has `gateway_timeout`, which is no setting; did you mean gateway_timeout_ms?"
    );
    assert!(error_of("colour = 1").ends_with("`interlock serve --help` lists the settings"));
    assert!(error_of("[public]\naddr = 1").contains("has `public`"));
    assert!(error_of("public_addr = 2020-01-01").contains("public_addr in interlock.toml is"));
    let broken = error_of("public_addr = \"x\"\noperator_token = \"hidden");
    assert!(broken.contains("line 2") && !broken.contains("hidden"), "{broken}");
}

#[test]
fn a_variable_that_looks_like_ours_is_named() {
    let pairs = ["INTERLOCK_GATEWAY_TIMEOUT", "INTERLOCK_TEST_THING", "INTERLOCK_LOG", "PATH"];
    let pairs = pairs.iter().map(|name| ((*name).into(), "1".into()));
    let (_, unknown) = sound().with_environment(pairs).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        unknown,
        ["INTERLOCK_GATEWAY_TIMEOUT is no setting; did you mean INTERLOCK_GATEWAY_TIMEOUT_MS?".to_owned()]
    );
}

#[test]
fn names_of_settings_are_unique() {
    let mut flags: Vec<String> = table::SETTINGS.iter().map(|setting| setting.flag()).collect();
    flags.sort();
    assert!(flags.windows(2).all(|pair| pair.first() != pair.last()));
}
