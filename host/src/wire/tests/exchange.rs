//! What each way in which an exchange can fail is reported as. The line between "not sent" and "unknown" is the line
//! between trying another gateway and charging a customer twice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::fixtures::{charge, get, holes, permit};
use super::gateway::{Gateway, OK_REPLY, TIMEOUT, config, send, send_if, wire};
use crate::wire::{BreakerState, NotSentReason, Outgoing, Sent, UnknownReason, Wire, WireConfig};

#[track_caller]
fn not_sent(sent: &Sent, wanted: NotSentReason) {
    assert!(matches!(sent, Sent::NotSent { reason, .. } if *reason == wanted), "{sent:?}");
}

#[track_caller]
fn unknown(sent: &Sent, wanted: UnknownReason) {
    let fits = matches!(sent, Sent::Unknown { reason, bytes_written, .. } if *reason == wanted && *bytes_written > 0);
    assert!(fits, "{sent:?}");
}

#[tokio::test]
async fn a_complete_reply_comes_back_with_its_holes_filled_at_the_gateway() {
    let gateway = Gateway::replying(OK_REPLY).await;
    let sent = send(&wire(), &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
    let Sent::Replied(response) = sent else { panic!("{sent:?}") };
    assert_eq!((response.status, response.body.as_slice()), (200, br#"{"ok":true}"#.as_slice()));
    let requests = gateway.requests.lock().await;
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(body, r#"{"amount":1250,"method":{"type":"card","number":"4242424242424242","cvc":"123"}}"#);
    assert!(head.starts_with("POST /charges HTTP/1.1\r\n"), "{head}");
    for line in [
        format!("host: {}", gateway.address),
        format!("content-length: {}", body.len()),
        "content-type: application/json".to_owned(),
        "accept-encoding: identity".to_owned(),
        "idempotency-key: op_1".to_owned(),
    ] {
        assert_eq!(head.lines().filter(|other| *other == line).count(), 1, "{line} in {head}");
    }
}

#[tokio::test]
async fn every_status_is_a_reply_and_no_redirect_is_followed() {
    let elsewhere = Gateway::replying(OK_REPLY).await;
    for status in ["302 Found", "307 Temporary Redirect", "400 Bad Request", "409 Conflict", "429 Slow", "500 Oops"] {
        let location = elsewhere.base();
        let reply = format!("HTTP/1.1 {status}\r\nlocation: {location}/charges\r\ncontent-length: 0\r\n\r\n");
        let gateway = Gateway::replying(reply).await;
        let sent = send(&wire(), &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
        let Sent::Replied(response) = sent else { panic!("{status} gave {sent:?}") };
        assert!(status.starts_with(&response.status.to_string()));
        assert_eq!(gateway.connections(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    not_sent(&send(&wire(), &charge(&base), &base, TIMEOUT).await, NotSentReason::Connect);
}

#[tokio::test]
async fn a_name_without_address_is_not_sent() {
    let base = "http://no-such-gateway.invalid:8080";
    not_sent(&send(&wire(), &charge(base), base, TIMEOUT).await, NotSentReason::Dns);
}

/// The kernel accepts for a listener that never does: the connection stands, and the request is in its buffers. That
/// nobody read it cannot be known from here.
#[tokio::test]
async fn silence_after_the_first_byte_is_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let sent = send(&wire(), &charge(&base), &base, Duration::from_millis(200)).await;
    unknown(&sent, UnknownReason::TimedOut);
}

/// TLS to a server that never says a word: the handshake's bytes are not the request's.
#[tokio::test]
async fn silence_before_the_first_byte_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let started = Instant::now();
    let sent = send(&wire(), &charge(&base), &base, Duration::from_millis(200)).await;
    not_sent(&sent, NotSentReason::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(2));
}

/// The connection is closed by the time-out itself: nothing is written after the answer.
#[tokio::test]
async fn a_time_out_closes_the_connection() {
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let gateway = Gateway::start(move |mut caller| {
        let tell = tell.clone();
        async move {
            caller.read_request().await;
            // Only the end of the stream makes this return.
            let _ = tell.send(caller.read_request().await).await;
        }
    })
    .await;
    let sent = send(&wire(), &charge(&gateway.base()), &gateway.base(), Duration::from_millis(100)).await;
    unknown(&sent, UnknownReason::TimedOut);
    let more = tokio::time::timeout(Duration::from_secs(2), told.recv()).await.expect("the connection is closed");
    assert_eq!(more, Some(false));
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection() {
    let (tell, mut told) = tokio::sync::mpsc::channel(2);
    let gateway = Gateway::start(move |mut caller| {
        let tell = tell.clone();
        async move {
            let _ = tell.send(caller.read_request().await).await;
            let _ = tell.send(caller.read_request().await).await;
        }
    })
    .await;
    let (wire, base) = (wire(), gateway.base());
    let request = charge(&base);
    tokio::select! {
        sent = send(&wire, &request, &base, TIMEOUT) => panic!("{sent:?}"),
        read = told.recv() => assert_eq!(read, Some(true)),
    }
    let more = tokio::time::timeout(Duration::from_secs(2), told.recv()).await.expect("the connection is closed");
    assert_eq!(more, Some(false));
}

#[tokio::test]
async fn closing_before_or_after_reading_is_unknown() {
    let reads = Gateway::start(|mut caller| async move {
        caller.read_request().await;
    })
    .await;
    let resets = Gateway::start(|mut caller| async move {
        caller.read_request().await;
        // No lingering: the close is a reset.
        SockRef::from(&caller.stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    for gateway in [reads, resets] {
        let sent = send(&wire(), &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
        unknown(&sent, UnknownReason::ConnectionLost);
    }
}

/// A gateway that hangs up on every caller: either the request was written or it was not, and the answer says which.
/// What it may not say is "not sent" after the gateway got bytes.
#[tokio::test]
async fn closing_at_once_is_told_by_what_was_written() {
    let gateway = Gateway::start(|caller| async move { drop(caller) }).await;
    for _ in 0..50 {
        match send(&wire(), &charge(&gateway.base()), &gateway.base(), TIMEOUT).await {
            Sent::NotSent { reason: NotSentReason::ConnectionLost, .. } => {}
            Sent::Unknown { reason: UnknownReason::ConnectionLost, bytes_written, .. } => assert!(bytes_written > 0),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_lease_that_is_too_short_sends_nothing() {
    let gateway = Gateway::replying(OK_REPLY).await;
    let wire = wire();
    let sent = send_if(&wire, &charge(&gateway.base()), &gateway.base(), TIMEOUT, &|_| false).await;
    not_sent(&sent, NotSentReason::LeaseTooShort);
    // Asked at the last moment, not before connecting: the connection stands, and carried nothing.
    let asked = AtomicBool::new(false);
    let gateway_connected = |_| {
        asked.store(true, Ordering::SeqCst);
        gateway.connections() >= 1
    };
    let sent = send_if(&wire, &charge(&gateway.base()), &gateway.base(), TIMEOUT, &gateway_connected).await;
    assert!(asked.load(Ordering::SeqCst));
    assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
    assert_eq!(gateway.requests.lock().await.len(), 1);
}

/// What went by in the queue for a connection is not asked of the lease a second time.
#[tokio::test]
async fn the_lease_is_asked_about_what_is_left_of_the_timeout() {
    const BUSY: Duration = Duration::from_millis(300);
    let gateway = Gateway::start(|mut caller| async move {
        caller.read_request().await;
        tokio::time::sleep(BUSY).await;
        caller.say(OK_REPLY).await;
    })
    .await;
    let wire = Wire::new(WireConfig { connections_per_origin_max: 1, ..config() }).unwrap();
    let (base, request) = (gateway.base(), charge(&gateway.base()));
    let least_left = Mutex::new(TIMEOUT);
    let may_send = |left: Duration| {
        let mut least = least_left.lock().unwrap();
        *least = left.min(*least);
        true
    };
    let (first, second) = tokio::join!(send(&wire, &request, &base, TIMEOUT), async {
        tokio::time::sleep(BUSY / 6).await;
        send_if(&wire, &request, &base, TIMEOUT, &may_send).await
    });
    assert!(matches!((&first, &second), (Sent::Replied(_), Sent::Replied(_))), "{first:?}, {second:?}");
    let left = *least_left.lock().unwrap();
    assert!(left + BUSY / 2 < TIMEOUT, "{left:?}");
}

#[tokio::test]
async fn broken_replies_are_unknown() {
    let huge_head = format!("HTTP/1.1 200 OK\r\nx-a: {}\r\n\r\n", "a".repeat(100_000));
    let many_headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-a: a\r\n".repeat(200));
    let huge_body = format!("HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n{}", "a".repeat(70_000));
    let huge_chunks = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
        "3e8\r\n".to_owned() + &"a".repeat(1000) + "\r\n"
    );
    let huge_chunks = huge_chunks.clone() + &("3e8\r\n".to_owned() + &"a".repeat(1000) + "\r\n").repeat(100);
    let cases: [(&str, UnknownReason); 15] = [
        ("SSH-2.0-OpenSSH_9.6\r\n", UnknownReason::Garbage),
        ("\u{0}\u{1}\u{2}\u{3}\r\n\r\n", UnknownReason::Garbage),
        ("HTTP/1.1 2x0 OK\r\n\r\n", UnknownReason::Garbage),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!", UnknownReason::Garbage),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", UnknownReason::Garbage),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", UnknownReason::Garbage),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", UnknownReason::Compressed),
        ("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"ok\":true", UnknownReason::Truncated),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", UnknownReason::Truncated),
        ("HTTP/1.1 200 OK\r\ncontent-le", UnknownReason::ConnectionLost),
        ("HTTP/1.1 200 OK\r\ncontent-length: 999999999999999\r\n\r\n", UnknownReason::ReplyTooLarge),
        (&huge_head, UnknownReason::ReplyTooLarge),
        (&many_headers, UnknownReason::ReplyTooLarge),
        (&huge_body, UnknownReason::ReplyTooLarge),
        (&huge_chunks, UnknownReason::ReplyTooLarge),
    ];
    for (reply, reason) in cases {
        let gateway = Gateway::replying(reply).await;
        let sent = send(&wire(), &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
        let fits = matches!(&sent, Sent::Unknown { reason: found, .. } if *found == reason);
        assert!(fits, "{:?} gave {sent:?}", reply.get(..60).unwrap_or(reply));
    }
}

#[tokio::test]
async fn whole_replies_in_every_framing_are_read() {
    for reply in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"ok\"\r\n6\r\n:true}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"ok\":true}",
        "HTTP/1.0 200 OK\r\n\r\n{\"ok\":true}",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}",
    ] {
        let gateway = Gateway::replying(reply).await;
        let sent = send(&wire(), &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
        let Sent::Replied(response) = sent else { panic!("{reply:?} gave {sent:?}") };
        assert_eq!(response.body, br#"{"ok":true}"#, "{reply:?}");
    }
}

/// A byte now and then keeps a connection alive, but not past the deadline.
#[tokio::test]
async fn a_slow_body_ends_at_the_deadline() {
    let gateway = Gateway::start(|mut caller| async move {
        caller.read_request().await;
        caller.say("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            caller.say("x").await;
        }
    })
    .await;
    let started = Instant::now();
    let sent = send(&wire(), &charge(&gateway.base()), &gateway.base(), Duration::from_millis(300)).await;
    unknown(&sent, UnknownReason::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_reply_before_the_request_is_read_is_a_reply() {
    let gateway = Gateway::start(|mut caller| async move {
        caller.say("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        caller.read_request().await;
    })
    .await;
    let sent = send(&wire(), &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
    // It may also have come before the request was written: then it belongs to no request.
    match sent {
        Sent::Replied(response) => assert_eq!(response.status, 503),
        Sent::NotSent { reason: NotSentReason::ConnectionLost, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn private_addresses_and_plain_http_need_permission() {
    let gateway = Gateway::replying(OK_REPLY).await;
    let strict = Wire::new(WireConfig { allow_private_networks: false, ..config() }).unwrap();
    let sent = send(&strict, &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
    assert!(matches!(sent, Sent::Refused(_)), "{sent:?}");
    for host in ["127.0.0.1", "localhost", "[::1]", "2130706433", "169.254.169.254", "[::ffff:10.0.0.1]"] {
        let base = format!("https://{host}:{}", gateway.address.port());
        let sent = send(&strict, &charge(&base), &base, TIMEOUT).await;
        not_sent(&sent, NotSentReason::AddressForbidden);
    }
    assert_eq!(gateway.connections(), 0);
}

#[tokio::test]
async fn a_dead_gateway_opens_its_breaker_and_a_live_one_closes_it() {
    let gateway = Gateway::replying(OK_REPLY).await;
    let mut config = config();
    config.breaker.failures_to_open = 3;
    config.breaker.cool_down = Duration::from_millis(200);
    let wire = Wire::new(config).unwrap();
    let account = Uuid::from_u128(7);
    let nobody = "http://127.0.0.1:1";
    for _ in 0..3 {
        not_sent(&send(&wire, &charge(nobody), nobody, TIMEOUT).await, NotSentReason::Connect);
    }
    assert_eq!(wire.breaker_state(account), BreakerState::Open);
    not_sent(&send(&wire, &charge(&gateway.base()), &gateway.base(), TIMEOUT).await, NotSentReason::BreakerOpen);
    assert_eq!(wire.tripped_breakers().len(), 1);
    tokio::time::sleep(Duration::from_millis(250)).await;
    let sent = send(&wire, &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
    assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
    assert_eq!(wire.breaker_state(account), BreakerState::Closed);
}

/// Two secrets of the same account in one request, and none in what comes back.
#[tokio::test]
async fn what_a_gateway_echoes_is_scrubbed() {
    let gateway = Gateway::start(|mut caller| async move {
        caller.read_request().await;
        let request = caller.log.lock().await.last().unwrap().clone();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let echo = format!("{{\"request\":{body},\"head\":{}}}", serde_json::to_string(head).unwrap());
        let length = echo.len();
        caller
            .say(&format!("HTTP/1.1 200 OK\r\nx-card: 4242 4242 4242 4242\r\nset-cookie: a=b\r\ncontent-length: {length}\r\n\r\n{echo}"))
            .await;
    })
    .await;
    let sent = send(&wire(), &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
    let Sent::Replied(response) = sent else { panic!("{sent:?}") };
    let echoed: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(echoed["request"]["method"]["number"], "[card-number]");
    assert_eq!(echoed["request"]["method"]["cvc"], "[card-cvc]");
    assert_eq!(echoed["request"]["amount"], 1250);
    assert!(response.headers.contains(&("x-card".to_owned(), "[card-number]".to_owned())));
    assert!(!response.headers.iter().any(|(name, _)| name == "set-cookie"));
}

#[tokio::test]
async fn a_full_pool_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let mut config = config();
    config.connections_per_origin_max = 1;
    config.pool_wait_max = Duration::from_millis(50);
    let wire = Wire::new(config).unwrap();
    let request = get(&base, "/charges/1");
    let (first, second) = tokio::join!(send(&wire, &request, &base, Duration::from_millis(400)), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        send(&wire, &request, &base, Duration::from_millis(400)).await
    });
    unknown(&first, UnknownReason::TimedOut);
    not_sent(&second, NotSentReason::PoolFull);
}

/// The answer is there as soon as the reply is: `send` is a plain future, and usable from any task.
#[test]
fn sending_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let (wire, permit, holes) = (wire(), permit("http://127.0.0.1:1"), holes());
    let request = charge("http://127.0.0.1:1");
    let account = Uuid::from_u128(1);
    let outgoing = Outgoing {
        request: &request,
        permit: &permit,
        holes: &holes,
        account,
        connector: "fixture",
        timeout: TIMEOUT,
        may_send: &|_| true,
    };
    is_send(&wire.send(outgoing));
}
