//! What tables of sinks say, and what is said of those that cannot be used.

use super::{
    super::{Config, settings as all},
    *,
};

fn layers(file: &str, variables: &[(&str, &str)]) -> Result<Layers, ConfigError> {
    let pairs = variables.iter().map(|(name, text)| ((*name).into(), (*text).into()));
    let (layers, unknown) = Layers::default()
        .with_default(&all::DATABASE_URL, "postgres://localhost/payments")
        .with_default(&all::OPERATOR_TOKEN, "a-token-of-an-operator")
        .with_default(&all::MASTER_KEY, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        .with_environment(pairs)?;
    assert!(unknown.is_empty(), "{unknown:?}");
    layers.with_file_text("interlock.toml", file)
}

fn config(file: &str, variables: &[(&str, &str)]) -> Config {
    layers(file, variables).and_then(|layers| Config::read(&layers)).unwrap_or_else(|error| panic!("{error}"))
}

fn error(file: &str) -> String {
    let read = layers(file, &[]).and_then(|layers| Config::read(&layers));
    read.err().expect("it must be refused").to_string()
}

#[test]
fn two_lines_are_enough() {
    let config = config(
        "[sinks.bus]\nkind = \"nats\"\nservers = [\"nats://one:4222\", \"nats://other:4222\"]\n\
         [sinks.lake]\nkind = \"kafka\"\nservers = \"one:9092\"",
        &[],
    );
    let [bus, lake] = config.sinks.as_slice() else { panic!("there are two") };
    assert_eq!(
        (bus.name.as_str(), bus.from, bus.on_refused, bus.in_flight_max),
        ("bus", Begin::Now, OnRefused::Stop, 256)
    );
    let Broker::Nats(nats) = &bus.broker else { panic!("it is NATS") };
    assert_eq!(nats.servers, ["nats://one:4222", "nats://other:4222"]);
    assert_eq!((nats.stream.as_str(), nats.subject_prefix.as_str()), ("INTERLOCK", "interlock"));
    assert!(!nats.create_stream && !nats.key_in_subject && matches!(nats.login, NatsLogin::Nobody));
    assert_eq!(nats.tls, Tls::default());
    let Broker::Kafka(kafka) = &lake.broker else { panic!("it is Kafka") };
    assert_eq!(
        (kafka.servers.as_slice(), kafka.topic.as_str()),
        (["one:9092".to_owned()].as_slice(), "interlock.events")
    );
    assert!(kafka.login.is_none() && config.doubts().is_empty());
}

#[test]
fn a_variable_goes_before_the_table() {
    let file = "[sinks.bus]\nkind = \"kafka\"\nservers = \"one:9092\"\nsasl_mechanism = \"SCRAM-SHA-512\"\nuser = \"me\"\n\
                tls = true\nfrom = \"beginning\"\non_refused = \"skip\"";
    let config = config(file, &[("INTERLOCK_SINKS_BUS_PASSWORD", "hidden"), ("INTERLOCK_SINKS_BUS_USER", "you")]);
    let Some(SinkSettings {
        broker: Broker::Kafka(kafka), from: Begin::Beginning, on_refused: OnRefused::Skip, ..
    }) = config.sinks.first()
    else {
        panic!("it is Kafka, from the beginning")
    };
    let sasl = kafka.login.as_ref().expect("it signs in");
    assert_eq!((sasl.user.as_str(), sasl.password.expose().as_str()), ("you", "hidden"));
    assert_eq!(sasl.mechanism, Mechanism::ScramSha512);
    assert!(kafka.tls.required);
}

#[test]
fn variables_and_secrets_that_are_not_meant_so_are_doubted() {
    let file = "[sinks.bus]\nkind = \"nats\"\nservers = \"nats://one\"\ntoken = \"hidden\"";
    let config = config(file, &[("INTERLOCK_SINKS_BUS_PASWORD", "x"), ("INTERLOCK_SINKS_QQQ", "x")]);
    let doubts = config.doubts();
    assert_eq!(doubts.len(), 3, "{doubts:?}");
    let all = doubts.join("\n");
    assert!(
        all.contains("INTERLOCK_SINKS_BUS_PASWORD is no setting of a sink; did you mean INTERLOCK_SINKS_BUS_PASSWORD?")
    );
    assert!(all.contains("sinks.bus sends its secret in clear; write sinks.bus.tls = true"));
    assert!(!all.contains("hidden"));
}

#[test]
fn a_variable_belongs_to_one_sink() {
    let file = "[sinks.a]\nkind = \"nats\"\nservers = \"nats://one\"\n\
                [sinks.a_create]\nkind = \"nats\"\nservers = \"nats://one\"";
    let read = layers(file, &[("INTERLOCK_SINKS_A_CREATE_STREAM", "1")]).and_then(|layers| Config::read(&layers));
    let error = read.err().expect("it must be refused").to_string();
    assert!(
        error.starts_with("INTERLOCK_SINKS_A_CREATE_STREAM is a setting of sinks.a and of sinks.a_create"),
        "{error}"
    );
}

#[test]
fn every_kind_of_mistake_says_what_to_write_instead() {
    const NATS: &str = "[sinks.bus]\nkind = \"nats\"\nservers = \"nats://one:4222\"\n";
    const KAFKA: &str = "[sinks.bus]\nkind = \"kafka\"\nservers = \"one:9092\"\n";
    let rows: &[(&str, &str, &str)] = &[
        ("sinks = 1", "", "sinks in interlock.toml is no table; write a table such as [sinks.NAME]"),
        ("[sinks]\nbus = 1", "", "sinks.bus in interlock.toml is no table"),
        ("[sinks.Bus]\nkind = \"nats\"", "", "sinks.Bus cannot be called that; call it by at most 40 of a-z"),
        ("[sinks.bus]\nservers = \"x:1\"", "", "sinks.bus.kind is not set; write kind = \"nats\" or kind = \"kafka\""),
        (
            "[sinks.bus]\nkind = \"rabbit\"",
            "",
            "sinks.bus.kind in interlock.toml is `rabbit`: that is none of the words",
        ),
        (
            "[sinks.bus]\nkind = \"nats\"",
            "",
            "sinks.bus.servers is not set; write servers = [\"nats://127.0.0.1:4222\"]",
        ),
        (NATS, "sever = 1", "sinks.bus.sever in interlock.toml is no setting of a sink; did you mean servers?"),
        (NATS, "colour = 1", "is no setting of a sink; a sink has kind, servers,"),
        (NATS, "topic = \"x\"", "sinks.bus.topic in interlock.toml is no setting of a sink of kind nats; take it away"),
        (NATS, "stream = \"a.b\"", "is `a.b`: that cannot be its name; write at most 249 letters, digits"),
        (NATS, "subject_prefix = \"a..b\"", "that has an empty word"),
        (NATS, "subject_prefix = \"a.>\"", "that cannot be its name"),
        (NATS, "create_stream = \"perhaps\"", "that is neither yes nor no; write true or false"),
        (NATS, "in_flight_max = 0", "that is too small; write a whole number of events from 1 to 1000"),
        (NATS, "from = \"yesterday\"", "write now or beginning"),
        (NATS, "on_refused = \"cry\"", "write stop or skip"),
        (NATS, "token = \"hidden\"\nuser = \"a\"\npassword = \"hidden\"", "sinks.bus signs in in more than one way"),
        (NATS, "user = \"a\"", "sinks.bus.password is not set and what goes with it is; set both, or neither"),
        (NATS, "credentials_file = \"/nowhere\"", "that cannot be read"),
        (NATS, "token = \"\"", "sinks.bus.token in interlock.toml is empty"),
        (NATS, "tls_cert = \"/nowhere\"", "that cannot be read"),
        (KAFKA, "sasl_mechanism = \"PLAIN\"", "sinks.bus.user is not set and what goes with it is"),
        (KAFKA, "user = \"a\"\npassword = \"hidden\"", "sinks.bus.sasl_mechanism is not set"),
        (KAFKA, "topic = \"a b\"", "that cannot be its name"),
        (KAFKA, "servers = 1", "is not TOML at line 3"),
        ("[sinks.bus]\nkind = \"nats\"\nservers = \"http://x\"", "", "write nats://host:port or tls://host:port"),
        ("[sinks.bus]\nkind = \"nats\"\nservers = \"nats://a:b@x\"", "", "that holds a user"),
        (
            "[sinks.bus]\nkind = \"kafka\"\nservers = \"one\"",
            "",
            "that is no address of a Kafka broker; write host:port",
        ),
    ];
    for (head, line, expected) in rows {
        let error = error(&format!("{head}{line}"));
        assert!(error.contains(expected), "{error}\nlacks {expected}");
        assert!(!error.contains("hidden"), "a secret was repeated: {error}");
    }
}
