//! Which connections are used again, and which are not.

use std::time::Duration;

use tokio::sync::mpsc;

use super::fixtures::{charge, get};
use super::gateway::{Gateway, OK_REPLY, TIMEOUT, config, send, wire};
use crate::wire::{Sent, Wire};

/// The gateway lets the reply be read for so long before it does what nobody asked for.
const READ_BY_THEN: Duration = Duration::from_millis(20);
/// What was sent or closed on loopback has come in by then.
const ARRIVED_BY_THEN: Duration = Duration::from_millis(40);

/// Keeps connections open and answers everything.
async fn keeping() -> Gateway {
    Gateway::start(|mut caller| async move {
        while caller.read_request().await {
            caller.say(OK_REPLY).await;
        }
    })
    .await
}

async fn replied(wire: &Wire, gateway: &Gateway) {
    let sent = send(wire, &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
    assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
}

#[tokio::test]
async fn exchanges_in_turn_share_a_connection() {
    let (wire, gateway) = (wire(), keeping().await);
    for _ in 0..5 {
        replied(&wire, &gateway).await;
    }
    let sent = send(&wire, &get(&gateway.base(), "/charges/1"), &gateway.base(), TIMEOUT).await;
    assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
    assert_eq!(gateway.connections(), 1);
    assert_eq!(gateway.requests.lock().await.len(), 6);
}

#[tokio::test]
async fn exchanges_at_once_have_connections_of_their_own() {
    let (wire, gateway) = (wire(), keeping().await);
    tokio::join!(replied(&wire, &gateway), replied(&wire, &gateway), replied(&wire, &gateway));
    assert_eq!(gateway.connections(), 3);
    assert_eq!(wire.pool.idle_count(), 3);
}

/// A server that closes idle connections, as they all do: the closed one is noticed and never written to.
#[tokio::test]
async fn a_connection_that_the_gateway_closed_is_not_used() {
    let (close, mut closed) = mpsc::unbounded_channel();
    let gateway = Gateway::start(move |mut caller| {
        let close = close.clone();
        async move {
            if caller.read_request().await {
                caller.say(OK_REPLY).await;
                tokio::time::sleep(READ_BY_THEN).await;
                drop(caller);
                close.send(()).unwrap();
            }
        }
    })
    .await;
    let wire = wire();
    for _ in 0..20 {
        replied(&wire, &gateway).await;
        closed.recv().await.unwrap();
        tokio::time::sleep(ARRIVED_BY_THEN).await;
    }
    assert_eq!(gateway.connections(), 20);
}

/// The end of the stream may have arrived in the kernel without the runtime having heard of it: the thread that would
/// have told it was busy.
#[tokio::test(flavor = "current_thread")]
async fn a_close_that_the_runtime_has_not_heard_of_is_noticed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (close, closing) = std::sync::mpsc::channel::<()>();
    let (closed, has_closed) = std::sync::mpsc::channel::<()>();
    // Outside the runtime, on a thread of its own.
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut served = 0;
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            assert!(stream.read(&mut buffer).unwrap() > 0);
            stream.write_all(OK_REPLY.as_bytes()).unwrap();
            served += 1;
            let _ = closing.recv();
            drop(stream);
            let _ = closed.send(());
        }
        served
    });
    let (wire, base) = (wire(), format!("http://{address}"));
    assert!(matches!(send(&wire, &charge(&base), &base, TIMEOUT).await, Sent::Replied(_)));
    // No await between the close and the next request: the runtime's poller does not run.
    close.send(()).unwrap();
    has_closed.recv().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    let sent = send(&wire, &charge(&base), &base, TIMEOUT).await;
    assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
    drop(close);
    assert_eq!(server.join().unwrap(), 2);
}

#[tokio::test]
async fn a_connection_with_unexpected_bytes_is_not_used() {
    let (say, mut said) = mpsc::unbounded_channel();
    let gateway = Gateway::start(move |mut caller| {
        let say = say.clone();
        async move {
            while caller.read_request().await {
                caller.say(OK_REPLY).await;
                tokio::time::sleep(READ_BY_THEN).await;
                // An answer to no question: it must not become the answer to the next one.
                caller.say("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"ok\":false}").await;
                say.send(()).unwrap();
            }
        }
    })
    .await;
    let wire = wire();
    for _ in 0..3 {
        replied(&wire, &gateway).await;
        said.recv().await.unwrap();
        tokio::time::sleep(ARRIVED_BY_THEN).await;
    }
    assert_eq!(gateway.connections(), 3);
}

#[tokio::test]
async fn a_second_reply_behind_the_first_ends_the_connection() {
    let gateway = Gateway::start(|mut caller| async move {
        while caller.read_request().await {
            caller.say(&OK_REPLY.repeat(2)).await;
        }
    })
    .await;
    let wire = wire();
    for _ in 0..3 {
        replied(&wire, &gateway).await;
    }
    assert_eq!(gateway.connections(), 3);
}

#[tokio::test]
async fn a_reply_that_says_close_ends_the_connection() {
    let gateway = Gateway::start(|mut caller| async move {
        while caller.read_request().await {
            caller.say("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
        }
    })
    .await;
    let wire = wire();
    for _ in 0..3 {
        replied(&wire, &gateway).await;
    }
    assert_eq!(gateway.connections(), 3);
}

#[tokio::test]
async fn idle_and_old_connections_are_not_used() {
    for by_age in [false, true] {
        let gateway = keeping().await;
        let mut config = config();
        // Much longer than the two exchanges below take on a busy machine.
        let limit = Duration::from_millis(500);
        if by_age {
            config.connection_age_max = limit;
        } else {
            config.idle_reuse_max = limit;
        }
        let wire = Wire::new(config).unwrap();
        replied(&wire, &gateway).await;
        replied(&wire, &gateway).await;
        assert_eq!(gateway.connections(), 1);
        tokio::time::sleep(limit + ARRIVED_BY_THEN).await;
        replied(&wire, &gateway).await;
        assert_eq!(gateway.connections(), 2);
        tokio::time::sleep(limit + ARRIVED_BY_THEN).await;
        wire.sweep();
        assert_eq!(wire.pool.idle_count(), 0);
    }
}
