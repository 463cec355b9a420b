//! Deliveries to receivers of every kind: what counts as an answer, and what each failure is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use socket2::SockRef;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::gateway::{Gateway, OK_REPLY, TIMEOUT, config};
use crate::wire::pool::{Pool, PoolLimits};
use crate::wire::{Carried, Class, Courier, Destination, Receipt, Wire, WireConfig};

fn courier() -> Courier {
    Wire::new(config()).unwrap().courier()
}

async fn carry_within(courier: &Courier, url: &str, timeout: Duration) -> Carried {
    let headers = HeaderMap::from_iter([(http::header::USER_AGENT, HeaderValue::from_static("tests"))]);
    let body = Bytes::from_static(b"{\"an\":\"event\"}");
    courier.carry(Uuid::from_u128(1), &Destination::of(url).unwrap(), headers, body, timeout).await
}

async fn carry(courier: &Courier, url: &str) -> Carried {
    carry_within(courier, url, TIMEOUT).await
}

#[track_caller]
fn answered(carried: Carried) -> Receipt {
    match carried {
        Carried::Answered(receipt) => receipt,
        Carried::Failed { class, detail } => panic!("{class:?}: {detail}"),
    }
}

#[track_caller]
fn failed(carried: Carried) -> Class {
    match carried {
        Carried::Failed { class, detail } => {
            assert!(!detail.is_empty());
            class
        }
        Carried::Answered(receipt) => panic!("{receipt:?}"),
    }
}

/// Accepts connections and treats each of them so, with the first request unread.
async fn rude(treat: impl Fn(tokio::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            treat(stream);
        }
    });
    url
}

#[tokio::test]
async fn an_event_arrives_as_it_was_given() {
    let receiver = Gateway::replying(OK_REPLY).await;
    let receipt = answered(carry(&courier(), &format!("{}/hooks/%C3%A9?shop=7&a=%20b", receiver.base())).await);
    assert_eq!(receipt, Receipt { status: 200, retry_after: None, body: b"{\"ok\":true}".to_vec() });
    let requests = receiver.requests.lock().await;
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "{\"an\":\"event\"}");
    assert!(head.starts_with("POST /hooks/%C3%A9?shop=7&a=%20b HTTP/1.1\r\n"), "{head}");
    for line in [format!("host: {}", receiver.address), "content-length: 14".to_owned(), "user-agent: tests".to_owned()]
    {
        assert_eq!(head.lines().filter(|other| *other == line).count(), 1, "{line} in {head}");
    }
}

#[tokio::test]
async fn every_final_status_is_an_answer_and_no_redirect_is_followed() {
    let elsewhere = Gateway::replying(OK_REPLY).await;
    for status in ["204 No Content", "301 Moved", "307 Temporary Redirect", "410 Gone", "500 Oops"] {
        let location = elsewhere.base();
        let reply = format!("HTTP/1.1 {status}\r\nlocation: {location}/\r\ncontent-length: 0\r\n\r\n");
        let receiver = Gateway::replying(reply).await;
        let receipt = answered(carry(&courier(), &receiver.base()).await);
        assert!(status.starts_with(&receipt.status.to_string()));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_wish_to_wait_comes_back_as_it_was_said() {
    let reply = "HTTP/1.1 503 Later\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n";
    let receiver = Gateway::replying(reply).await;
    assert_eq!(answered(carry(&courier(), &receiver.base()).await).retry_after.as_deref(), Some("120"));
}

/// Ten megabytes, of which a part is read; the rest would cost more than a new connection.
#[tokio::test]
async fn a_huge_answer_is_a_short_one() {
    let mut reply = b"HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n".to_vec();
    reply.resize(reply.len() + 10_485_760, b'x');
    let receiver = Gateway::replying(reply).await;
    let (courier, began) = (courier(), Instant::now());
    let receipt = answered(carry(&courier, &receiver.base()).await);
    assert_eq!((receipt.status, receipt.body), (200, vec![b'x'; 2048]));
    assert!(began.elapsed() < TIMEOUT);
    assert_eq!(courier.pool.idle_count(), 0);
}

/// The status is there, and the deadline comes before the end of the body does.
#[tokio::test]
async fn a_status_that_came_in_time_counts() {
    let receiver = Gateway::start(move |mut caller| async move {
        caller.read_request().await;
        caller.say("HTTP/1.1 503 Later\r\nretry-after: 7\r\ncontent-length: 100\r\n\r\nhalf").await;
        std::future::pending::<()>().await;
    })
    .await;
    // Shorter than the wait for a body, and long enough for a status.
    let carried = carry_within(&courier(), &receiver.base(), Duration::from_millis(900)).await;
    let receipt = answered(carried);
    assert_eq!((receipt.status, receipt.retry_after.as_deref()), (503, Some("7")));
}

/// The status has said it. Who goes on to say nothing does not hold the place until the deadline.
#[tokio::test]
async fn a_body_that_never_ends_or_breaks_off_is_an_answer_all_the_same() {
    for closes in [true, false] {
        let receiver = Gateway::start(move |mut caller| async move {
            caller.read_request().await;
            caller.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
            if !closes {
                std::future::pending::<()>().await;
            }
        })
        .await;
        let courier = courier();
        let receipt = answered(carry(&courier, &receiver.base()).await);
        assert_eq!(receipt, Receipt { status: 200, retry_after: None, body: b"half".to_vec() });
        assert_eq!(courier.pool.idle_count(), 0);
    }
}

#[tokio::test]
async fn silence_is_a_time_out() {
    let hanging = Gateway::start(|mut caller| async move {
        caller.read_request().await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(failed(carry_within(&courier(), &hanging.base(), Duration::from_millis(200)).await), Class::Timeout);
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_reset() {
    let closed = rude(drop).await;
    assert_eq!(failed(carry(&courier(), &closed).await), Class::Reset);
    let reset = rude(|stream| {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    assert_eq!(failed(carry(&courier(), &reset).await), Class::Reset);
}

#[tokio::test]
async fn nobody_there_no_name_and_no_tls_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(failed(carry(&courier(), &format!("http://{free}/")).await), Class::Connect);
    assert_eq!(failed(carry(&courier(), "https://no-such-host.invalid/").await), Class::Dns);
    let plain = rude(|stream| {
        assert!(stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_ok());
        std::mem::forget(stream);
    })
    .await;
    assert_eq!(failed(carry(&courier(), &plain.replace("http:", "https:")).await), Class::Tls);
}

#[tokio::test]
async fn what_is_no_http_is_an_invalid_response() {
    let huge_head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    for reply in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", &huge_head] {
        let receiver = Gateway::replying(reply).await;
        assert_eq!(failed(carry(&courier(), &receiver.base()).await), Class::InvalidResponse, "{reply}");
    }
}

/// Checked when the connection is made, whatever was checked when the URL was entered.
#[tokio::test]
async fn private_addresses_and_plain_http_are_not_reached() {
    let receiver = Gateway::replying(OK_REPLY).await;
    let strict = Wire::new(WireConfig::new(false)).unwrap().courier();
    let port = receiver.address.port();
    for url in [
        format!("http://{}/", receiver.address),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        "https://169.254.169.254/".to_owned(),
        "https://1.1.1.1:22/".to_owned(),
    ] {
        assert_eq!(failed(carry(&strict, &url).await), Class::AddressForbidden, "{url}");
    }
    assert_eq!(receiver.connections(), 0);
}

/// Keeps connections open and takes everything.
async fn keeping() -> Gateway {
    Gateway::start(|mut caller| async move {
        while caller.read_request().await {
            caller.say(OK_REPLY).await;
        }
    })
    .await
}

#[tokio::test]
async fn deliveries_in_turn_share_a_connection() {
    let (receiver, courier) = (keeping().await, courier());
    for _ in 0..5 {
        answered(carry(&courier, &receiver.base()).await);
    }
    assert_eq!(receiver.connections(), 1);
}

/// Endpoints of many merchants have an origin each, and idle connections to all of them would be all the files of this
/// process: so many are kept, and what comes after them is closed.
#[tokio::test]
async fn so_many_connections_are_kept_while_nobody_uses_them() {
    let long = Duration::from_mins(5);
    let mut courier = courier();
    courier.pool = Pool::new(PoolLimits {
        connections_per_origin_max: 8,
        wait_max: TIMEOUT,
        idle_reuse_max: long,
        idle_max: 2,
        age_max: long,
    });
    let receivers = [keeping().await, keeping().await, keeping().await];
    for _ in 0..2 {
        for receiver in &receivers {
            answered(carry(&courier, &receiver.base()).await);
        }
        assert_eq!(courier.pool.idle_count(), 2);
    }
    assert_eq!(receivers.each_ref().map(Gateway::connections), [1, 1, 2]);
}

/// A server that hangs up on the second request of each connection, as one that is restarted does. The event goes out
/// once more at once, on a connection of its own.
#[tokio::test]
async fn a_kept_connection_that_dies_costs_a_second_one_and_not_the_try() {
    let answers = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answers);
    let receiver = Gateway::start(move |mut caller| {
        let count = Arc::clone(&count);
        async move {
            caller.read_request().await;
            caller.say(OK_REPLY).await;
            count.fetch_add(1, Ordering::SeqCst);
            caller.read_request().await;
            let _ = caller.stream.shutdown().await;
        }
    })
    .await;
    let courier = courier();
    for _ in 0..4 {
        answered(carry(&courier, &receiver.base()).await);
    }
    assert_eq!(answers.load(Ordering::SeqCst), 4);
    assert_eq!(receiver.connections(), 4);
}

#[test]
fn only_urls_of_the_web_are_destinations() {
    for text in ["", "hooks.example", "ftp://hooks.example/", "mailto:a@b.example", "https://"] {
        assert!(Destination::of(text).is_err(), "{text}");
    }
}
