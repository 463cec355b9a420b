//! The harness's webhook receiver itself: what it says that it got, and what it does to its clients, is so.

use std::{
    error::Error as _,
    time::{Duration, Instant, UNIX_EPOCH},
};

use interlock_tests::harness::{
    Receiver, eventually,
    receiver::{Reply, Script, most_at_once, signature_headers},
};
use serde_json::{Value, json};

/// A secret in the form of ours: `whsec_` and base64.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
/// Longer than anything on loopback takes, and shorter than a test may.
const SHORT: Duration = Duration::from_secs(20);

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(SHORT)
        .build()
        .expect("a client without TLS needs nothing")
}

fn event(id: &str, object: &str, sequence: i64) -> Value {
    json!({ "id": id, "type": "payment.created", "created_at": "2026-01-01T00:00:00Z", "sequence": sequence,
            "data": { "object": { "id": object } } })
}

/// What a host would send.
fn signed(url: &str, event: &Value) -> reqwest::RequestBuilder {
    let body = event.to_string();
    let id = event["id"].as_str().unwrap_or_default();
    client().post(url).headers(signature_headers(SECRET, id, now(), body.as_bytes())).body(body)
}

fn now() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().expect("it is later than 1970").as_secs()).unwrap()
}

async fn status_of(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.expect("it answers").status().as_u16()
}

/// What comes is kept as it came: order, path, headers, bytes, and how often.
#[tokio::test]
async fn what_comes_is_kept_as_it_came() {
    let receiver = Receiver::start().await;
    let (first, second) = (event("evt_1", "pay_1", 1), event("evt_2", "pay_2", 1));
    for event in [&first, &second, &first] {
        assert_eq!(status_of(signed(&receiver.at("/hook?a=1"), event)).await, 200);
    }
    assert_eq!(status_of(signed(&receiver.at("/other"), &first)).await, 200);
    let deliveries = receiver.gets_requests(4).await;
    let seen: Vec<_> = deliveries.iter().map(|one| (one.number, one.path.as_str(), one.id(), one.tries)).collect();
    assert_eq!(
        seen,
        [
            (0, "/hook?a=1", "evt_1", 1),
            (1, "/hook?a=1", "evt_2", 1),
            (2, "/hook?a=1", "evt_1", 2),
            (3, "/other", "evt_1", 1)
        ]
    );
    assert_eq!(deliveries[0].body, first.to_string());
    assert_eq!(receiver.events(), [first.clone(), second.clone(), first.clone(), first]);
    assert_eq!(receiver.of_object("pay_2").len(), 1);
    assert_eq!(receiver.deliveries_at("/other").len(), 1);
    assert_eq!(deliveries[0].method, "POST");
    receiver.never_got("a third event", |delivery| delivery.id() == "evt_3");
    assert_eq!(receiver.hears("pay_2", "payment.created").await.id(), "evt_2");
}

/// A signature is right under its secret, and under no other; a body that was touched, or an old one, has none.
#[tokio::test]
async fn signatures_are_told_apart() {
    let receiver = Receiver::start().await;
    let body = event("evt_1", "pay_1", 1).to_string();
    let right = signature_headers(SECRET, "evt_1", now(), body.as_bytes());
    let old = signature_headers(SECRET, "evt_1", now() - 3600, body.as_bytes());
    for (headers, body) in [(&right, body.clone()), (&right, body.replace("pay_1", "pay_2")), (&old, body)] {
        assert_eq!(status_of(client().post(receiver.at("/")).headers(headers.clone()).body(body)).await, 200);
    }
    let [good, touched, late] = receiver.gets_requests(3).await.try_into().expect("three");
    assert_eq!(good.signed_by(SECRET), Ok(()));
    assert!(good.signed_by(OTHER_SECRET).is_err());
    assert!(touched.signed_by(SECRET).is_err());
    assert!(late.signed_by(SECRET).is_err_and(|why| why.contains("old")));
    assert_eq!(good.signatures(), 1);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| receiver.all_signed_by(SECRET)));
    assert!(caught.is_err(), "a wrong signature is to be seen");
}

/// The library signs as its own published example does: a wrong oracle would bless a wrong host.
#[test]
fn the_oracle_knows_the_published_example() {
    let body = br#"{"test": 2432232314}"#;
    let headers = signature_headers(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
    assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/// A gap in what was accepted about an object is seen, and an event that was refused is not heard.
#[tokio::test]
async fn a_gap_is_seen() {
    let receiver = Receiver::start().await;
    receiver.answer(Script::by(|delivery| Reply::Status(if delivery.sequence() == 2 { 500 } else { 200 })));
    for (id, sequence) in [("evt_1", 1), ("evt_2", 2), ("evt_1", 1)] {
        status_of(signed(&receiver.at("/"), &event(id, "pay_1", sequence))).await;
    }
    assert_eq!(receiver.heard_of("pay_1"), ["payment.created"]);
    status_of(signed(&receiver.at("/"), &event("evt_3", "pay_1", 3))).await;
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| receiver.heard_of("pay_1")));
    assert!(caught.is_err(), "2 is missing");
    receiver.answer(Reply::Status(204));
    assert_eq!(status_of(signed(&receiver.at("/"), &event("evt_2", "pay_1", 2))).await, 204);
    assert_eq!(receiver.heard_of("pay_1").len(), 3);
}

/// Answers follow the script of the path, else that of all, and change while it runs.
#[tokio::test]
async fn answers_follow_the_script() {
    let receiver = Receiver::start().await;
    receiver.answer(Script::turns(Reply::Status(200), Reply::Status(500)));
    receiver.answer_at("/gone", Reply::Status(410));
    receiver.answer_at("/busy", Reply::RetryAfter(429, "7".to_owned()));
    receiver.answer_at("/moved", Reply::Redirect(302, "http://127.0.0.1:1/".to_owned()));
    receiver.answer_at("/shy", Script::at_first(2, Reply::Status(503), Reply::Text(202, "thanks".to_owned())));
    receiver.answer_at("/late", Reply::Late(Duration::from_millis(300), Box::new(Reply::Status(201))));
    let request = |path: &str| signed(&receiver.at(path), &event("evt_1", "pay_1", 1));
    assert_eq!(status_of(request("/")).await, 200);
    assert_eq!(status_of(request("/")).await, 500);
    assert_eq!(status_of(request("/gone")).await, 410);
    let busy = request("/busy").send().await.unwrap();
    assert_eq!((busy.status().as_u16(), &busy.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    let moved = request("/moved").send().await.unwrap();
    assert_eq!((moved.status().as_u16(), &moved.headers()["location"]), (302, &"http://127.0.0.1:1/".parse().unwrap()));
    assert_eq!(status_of(request("/shy")).await, 503);
    assert_eq!(status_of(request("/shy")).await, 503);
    let shy = request("/shy").send().await.unwrap();
    assert_eq!((shy.status().as_u16(), shy.text().await.unwrap()), (202, "thanks".to_owned()));
    let started = Instant::now();
    assert_eq!(status_of(request("/late")).await, 201);
    assert!(started.elapsed() >= Duration::from_millis(300));
    receiver.answer(Reply::Status(404));
    assert_eq!(status_of(request("/")).await, 404);
    let answered: Vec<_> = receiver.deliveries_at("/").iter().map(|delivery| delivery.answered).collect();
    assert_eq!(answered, [Some(200), Some(500), Some(404)]);
    assert!(receiver.deliveries_at("/gone").iter().all(|delivery| !delivery.is_accepted()));
}

/// Bodies that are too large or too slow are what they are called.
#[tokio::test]
async fn large_and_slow_bodies_come_as_told() {
    let receiver = Receiver::start().await;
    receiver.answer_at("/huge", Reply::Huge(10 << 20));
    receiver.answer_at("/slow", Reply::Trickle(10, Duration::from_millis(20)));
    let huge = signed(&receiver.at("/huge"), &event("evt_1", "pay_1", 1)).send().await.unwrap();
    assert_eq!(huge.bytes().await.unwrap().len(), 10 << 20);
    let started = Instant::now();
    let slow = signed(&receiver.at("/slow"), &event("evt_1", "pay_1", 1)).send().await.unwrap();
    assert_eq!(slow.bytes().await.unwrap().len(), 10);
    assert!(started.elapsed() >= Duration::from_millis(200));
}

/// Connections break as the script says: by a reset, by bytes that are no HTTP, or before anything is read.
#[tokio::test]
async fn connections_break_as_told() {
    let mut receiver = Receiver::start().await;
    receiver.answer_at("/reset", Reply::Reset);
    receiver.answer_at("/garbage", Reply::Raw("what is it?\r\n\r\n".into()));
    let request = |url: String| signed(&url, &event("evt_1", "pay_1", 1));
    let reset = request(receiver.at("/reset")).send().await.expect_err("there is no answer");
    assert!(chain(&reset).contains("reset"), "{}", chain(&reset));
    let garbage = request(receiver.at("/garbage")).send().await.expect_err("that is no answer");
    assert!(chain(&garbage).contains("invalid HTTP"), "{}", chain(&garbage));
    assert!(receiver.deliveries().iter().all(|delivery| delivery.answered.is_none()));

    let connections = receiver.connections();
    receiver.reset_connections(true);
    let unread = request(receiver.at("/")).send().await.expect_err("nobody reads it");
    assert!(chain(&unread).contains("reset"), "{}", chain(&unread));
    assert!(receiver.connections() > connections);
    receiver.reset_connections(false);
    assert_eq!(receiver.deliveries().len(), 2);

    receiver.close().await;
    let closed = request(receiver.at("/")).send().await.expect_err("nobody listens");
    assert!(closed.is_connect(), "{}", chain(&closed));
    receiver.open_again().await;
    assert_eq!(status_of(request(receiver.at("/"))).await, 200);
    assert_eq!(receiver.deliveries().len(), 3);
}

/// A request that hangs stays open until its client goes, and counts among those that were open at once.
#[tokio::test]
async fn what_hangs_is_open_until_its_client_goes() {
    let receiver = Receiver::start().await;
    receiver.answer(Reply::Hang);
    let clients: Vec<_> =
        (0..3).map(|number| tokio::spawn(signed(&receiver.at("/"), &event("evt_1", "pay_1", number)).send())).collect();
    let open = receiver.gets_requests(3).await;
    assert!(open.iter().all(|delivery| delivery.ended.is_none()));
    assert_eq!(most_at_once(&open), 3);
    for client in clients {
        client.abort();
    }
    eventually("all have ended", async || {
        let open = receiver.deliveries().iter().filter(|delivery| delivery.ended.is_none()).count();
        if open == 0 { Ok(()) } else { Err(format!("{open} are open")) }
    })
    .await;
    receiver.answer(Reply::Status(200));
    for _ in 0..3 {
        assert_eq!(status_of(signed(&receiver.at("/one"), &event("evt_1", "pay_1", 1))).await, 200);
    }
    assert_eq!(most_at_once(&receiver.deliveries_at("/one")), 1, "one after the other");
}

/// With the receiver goes everything that hangs at it.
#[tokio::test]
async fn with_the_receiver_go_its_connections() {
    let receiver = Receiver::start().await;
    receiver.answer(Reply::Hang);
    let client = tokio::spawn(signed(&receiver.at("/"), &event("evt_1", "pay_1", 1)).send());
    receiver.gets_requests(1).await;
    drop(receiver);
    client.await.expect("it was not aborted").expect_err("the connection ended");
}

/// An error with its causes.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
