//! One address for all hosts of a world, as a load balancer gives them: a connection goes to the first host that takes
//! it. Hosts that end and come back elsewhere stay reachable.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The address. It closes with the test.
pub struct Door {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    hosts: Arc<Mutex<Vec<String>>>,
    listening: JoinHandle<()>,
}

impl Door {
    /// Opens one to hosts with these base URLs, tried in this order.
    pub async fn open(hosts: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        let address = listener.local_addr().expect("it is bound");
        let hosts = Arc::new(Mutex::new(hosts));
        let behind = Arc::clone(&hosts);
        let listening = tokio::spawn(async move {
            while let Ok((inward, _)) = listener.accept().await {
                let hosts = behind.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(relay(inward, hosts));
            }
        });
        Self { url: format!("http://{address}"), hosts, listening }
    }

    /// Hosts have moved.
    pub fn lead_to(&self, hosts: Vec<String>) {
        *self.hosts.lock().unwrap_or_else(PoisonError::into_inner) = hosts;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Carries bytes both ways until one side is done. Where nobody listens the caller sees a closed connection.
async fn relay(mut inward: TcpStream, hosts: Vec<String>) {
    for host in hosts {
        if let Ok(mut outward) = TcpStream::connect(host.trim_start_matches("http://")).await {
            // However it ends, both sides are closed.
            let _ = tokio::io::copy_bidirectional(&mut inward, &mut outward).await;
            return;
        }
    }
}
