//! A server that writes down what it is asked, and answers everything alike.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Enough for every library to be content: an object, a list and what a search finds.
const ANSWER: &str = r#"{"id":"pi_3A","object":"list","data":[],"has_more":false,"url":"/v1"}"#;

/// A request as it came in.
pub struct Recorded {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

pub struct Recorder {
    pub url: String,
    address: std::net::SocketAddr,
    stopping: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<Recorded>>>,
    thread: JoinHandle<()>,
}

impl Recorder {
    /// On a free port of this machine.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopping = Arc::new(AtomicBool::new(false));
        let requests = Arc::default();
        let thread = thread::spawn({
            let (stopping, requests) = (Arc::clone(&stopping), Arc::clone(&requests));
            move || {
                for connection in listener.incoming() {
                    if stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    serve(&connection.unwrap(), &requests);
                }
            }
        });
        Self { url: format!("http://{address}"), address, stopping, requests, thread }
    }

    /// All that came in, in its order.
    pub fn stop(self) -> Vec<Recorded> {
        self.stopping.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.join().unwrap();
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

/// One request, and the end of the connection: libraries take that for what it is.
fn serve(connection: &TcpStream, requests: &Mutex<Vec<Recorded>>) {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    requests.lock().unwrap().push(Recorded { method, target, headers, body: String::from_utf8(body).unwrap() });
    let length = ANSWER.len();
    write!(
        &*connection,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{ANSWER}"
    )
    .unwrap();
}
