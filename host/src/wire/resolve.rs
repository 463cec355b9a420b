//! From a host name to addresses that egress may reach.
//!
//! The addresses that are checked here are the addresses that are connected to: there is no second look-up, so an
//! answer that changes between check and use (DNS rebinding) has nothing to change. One forbidden address among
//! many refuses all of them, because which one is tried would be luck.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use tokio::sync::Semaphore;

/// Addresses of one name that are kept: no gateway has more, and each costs connecting time.
const ADDRESSES_MAX: usize = 16;

/// Look-ups under way at once. A look-up is a blocking call that cannot be cancelled, so those that hang in a dead
/// name server hold a thread each; this is the most they can hold.
const LOOKUPS_MAX: usize = 32;

/// The lowest port besides 443 that egress may use unless private networks are allowed: below it live services of
/// the system (mail, SSH, databases of old) that no gateway's API runs on.
const UNPRIVILEGED_PORT_MIN: u16 = 1024;

/// Parts of IPv4 that are not the public internet: the registry of special-purpose addresses (RFC 6890 and its
/// successors), multicast, the reserved block, and the one public address at which a cloud keeps its metadata.
const FORBIDDEN_V4: [&str; 16] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// The only part of IPv6 that is handed out for global unicast. Everything else (loopback, v4-compatible, NAT64,
/// discard, segment routing, unique local, link local, multicast) is refused by not being in it.
const GLOBAL_V6: &str = "2000::/3";

/// Exceptions inside [`GLOBAL_V6`]: protocol assignments with Teredo and ORCHID, documentation, 6to4.
const FORBIDDEN_V6: [&str; 4] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

static V4: LazyLock<Vec<Ipv4Net>> =
    LazyLock::new(|| FORBIDDEN_V4.iter().map(|net| net.parse().expect("a network written in this file")).collect());
static V6: LazyLock<Vec<Ipv6Net>> =
    LazyLock::new(|| FORBIDDEN_V6.iter().map(|net| net.parse().expect("a network written in this file")).collect());
static V6_GLOBAL: LazyLock<Ipv6Net> = LazyLock::new(|| GLOBAL_V6.parse().expect("a network written in this file"));

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("{host} cannot be resolved")]
    LookUp {
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("looking up {host} took longer than {} ms", timeout.as_millis())]
    TimedOut { host: String, timeout: Duration },
    #[error("{host} has no address")]
    NoAddress { host: String },
    #[error("{host} leads to {address}, which is not on the public internet")]
    Private { host: String, address: IpAddr },
    #[error("port {port} is not one that gateways are reached at (443, or 1024 and above)")]
    Port { port: u16 },
}

/// Asks for the addresses of a name, and blocks meanwhile.
type LookUp = fn(&str, u16) -> std::io::Result<Vec<SocketAddr>>;

/// Looks names up and refuses what is not public, unless private networks are allowed.
pub struct Resolver {
    allow_private_networks: bool,
    timeout: Duration,
    lookups: Arc<Semaphore>,
    ask: LookUp,
}

impl Resolver {
    /// `timeout` bounds one look-up.
    pub fn new(allow_private_networks: bool, timeout: Duration) -> Self {
        let ask = |name: &str, port: u16| (name, port).to_socket_addrs().map(Iterator::collect);
        Self { allow_private_networks, timeout, lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)), ask }
    }

    /// The addresses to connect to, in the order the system gives them: at least one, all of them allowed.
    pub async fn resolve(&self, host: &url::Host<String>, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        let lookups = Arc::clone(&self.lookups);
        let permit = async move { lookups.acquire_owned().await.map_err(std::io::Error::other) };
        self.resolve_under(host, port, permit).await
    }

    /// As [`Self::resolve`], for who bounds look-ups himself: `held` is dropped when the look-up has ended, which may be
    /// long after it has timed out.
    pub async fn resolve_holding(
        &self,
        host: &url::Host<String>,
        port: u16,
        held: impl Send + 'static,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        self.resolve_under(host, port, std::future::ready(Ok(held))).await
    }

    async fn resolve_under<Held: Send + 'static>(
        &self,
        host: &url::Host<String>,
        port: u16,
        held: impl Future<Output = std::io::Result<Held>>,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        if !self.allow_private_networks && port != 443 && port < UNPRIVILEGED_PORT_MIN {
            return Err(ResolveError::Port { port });
        }
        let addresses = match host {
            url::Host::Ipv4(ip) => vec![SocketAddr::from((*ip, port))],
            url::Host::Ipv6(ip) => vec![SocketAddr::from((*ip, port))],
            url::Host::Domain(name) => self.look_up(name, port, held).await?,
        };
        if addresses.is_empty() {
            return Err(ResolveError::NoAddress { host: host.to_string() });
        }
        if !self.allow_private_networks
            && let Some(bad) = addresses.iter().find(|address| !is_public(address.ip()))
        {
            return Err(ResolveError::Private { host: host.to_string(), address: bad.ip() });
        }
        Ok(addresses.into_iter().take(ADDRESSES_MAX).collect())
    }

    async fn look_up<Held: Send + 'static>(
        &self,
        name: &str,
        port: u16,
        held: impl Future<Output = std::io::Result<Held>>,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let failed = |source| ResolveError::LookUp { host: name.to_owned(), source };
        let (owned, ask) = (name.to_owned(), self.ask);
        let work = async move {
            let held = held.await?;
            tokio::task::spawn_blocking(move || {
                // By the thread, not by the caller who may have given up on it.
                let _held = held;
                ask(&owned, port)
            })
            .await
            .map_err(std::io::Error::other)?
        };
        match tokio::time::timeout(self.timeout, work).await {
            Ok(found) => found.map_err(failed),
            Err(_) => Err(ResolveError::TimedOut { host: name.to_owned(), timeout: self.timeout }),
        }
    }
}

/// Whether an address belongs to the public internet. Addresses of IPv4 written as IPv6 are judged as IPv4.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !V4.iter().any(|net| net.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    V6_GLOBAL.contains(&address) && !V6.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> Resolver {
        Resolver::new(false, Duration::from_secs(5))
    }

    fn host(url: &str) -> url::Host<String> {
        url::Url::parse(url).unwrap().host().unwrap().to_owned()
    }

    /// First and last address of every forbidden block, and its neighbours outside.
    #[test]
    fn the_table_refuses_every_special_address() {
        let forbidden = [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ];
        for address in forbidden {
            assert!(!is_public(address.parse().unwrap()), "{address} must be refused");
        }
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address} must be allowed");
        }
    }

    /// Ways of writing a loopback or metadata address that slipped past filters of other programs.
    #[tokio::test]
    async fn no_spelling_reaches_a_private_address() {
        let spellings = [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://127.0.1/",
            "https://0/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://017700000001/",
            "https://127.0.0.1./",
            "https://%31%32%37.0.0.1/",
            "https://127。0。0。1/",
            "https://①②⑦.⓪.⓪.①/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
            "https://[64:ff9b::169.254.169.254]/",
            "https://[2002:7f00:1::]/",
            "https://[::127.0.0.1]/",
            "https://[fd00:ec2::254]/",
            "https://[fe80::1]/",
            "https://169.254.169.254/",
            "https://0xa9fea9fe/",
            "https://2852039166/",
            "https://localhost/",
            "https://LOCALHOST/",
            "https://localhost./",
        ];
        for spelling in spellings {
            let parsed = host(spelling);
            let outcome = strict().resolve(&parsed, 443).await;
            // A resolver that knows no `localhost.` is as good: nothing is reached.
            assert!(
                matches!(outcome, Err(ResolveError::Private { .. } | ResolveError::LookUp { .. })),
                "{spelling} gave {outcome:?}"
            );
        }
    }

    /// A name server of an attacker says something else every time it is asked (DNS rebinding), and mixes what is public
    /// with what is not. Every answer is judged as a whole, and what was judged is what is returned: nobody asks again.
    #[tokio::test]
    async fn a_name_is_as_public_as_its_latest_answer() {
        let ask = |name: &str, port: u16| {
            static ASKED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
            let answers: &[&str] = match name {
                "mixed.example" => &["1.1.1.1", "10.0.0.1"],
                "mapped.example" => &["::ffff:169.254.169.254"],
                "metadata.example" => &["169.254.169.254"],
                "carrier.example" => &["100.64.0.1"],
                "nowhere.example" => &["0.0.0.0"],
                _ if ASKED.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 => &["1.1.1.1"],
                _ => &["127.0.0.1"],
            };
            Ok(answers.iter().map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect())
        };
        let resolver = Resolver { ask, ..strict() };
        let named = |name: &str| url::Host::Domain(name.to_owned());
        let first = resolver.resolve(&named("rebinding.example"), 443).await.unwrap();
        assert_eq!(first, ["1.1.1.1:443".parse().unwrap()]);
        for name in [
            "rebinding.example",
            "mixed.example",
            "mapped.example",
            "metadata.example",
            "carrier.example",
            "nowhere.example",
        ] {
            let outcome = resolver.resolve(&named(name), 443).await;
            assert!(matches!(outcome, Err(ResolveError::Private { .. })), "{name}: {outcome:?}");
        }
    }

    /// Brackets around a name and zones inside an address are no hosts at all.
    #[test]
    fn bracket_and_zone_tricks_do_not_parse() {
        for spelling in ["https://[example.com]/", "https://[fe80::1%25lo]/", "https://[::1%lo]/", "https://256.0.0.1/"]
        {
            assert!(url::Url::parse(spelling).is_err(), "{spelling} must not parse");
        }
    }

    #[tokio::test]
    async fn ports_of_system_services_are_refused() {
        for port in [1, 22, 25, 80, 1023] {
            let outcome = strict().resolve(&host("https://1.1.1.1/"), port).await;
            assert!(matches!(outcome, Err(ResolveError::Port { .. })), "port {port} gave {outcome:?}");
        }
        for port in [443, 1024, 8443] {
            assert!(strict().resolve(&host("https://1.1.1.1/"), port).await.is_ok());
        }
    }

    #[tokio::test]
    async fn private_networks_are_reached_where_they_are_allowed() {
        let resolver = Resolver::new(true, Duration::from_secs(5));
        let found = resolver.resolve(&host("http://127.0.0.1:80/"), 80).await.unwrap();
        assert_eq!(found, vec!["127.0.0.1:80".parse().unwrap()]);
        assert!(!resolver.resolve(&host("http://localhost/"), 8080).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_name_without_address_is_an_error_of_the_look_up() {
        let outcome = strict().resolve(&host("https://no-such-host.invalid/"), 443).await;
        assert!(matches!(outcome, Err(ResolveError::LookUp { .. })), "{outcome:?}");
    }
}
