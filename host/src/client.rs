//! Calls the HTTP API of a host, for the command line and for `dev`.
//!
//! Not for gateways: what a connector asks for goes through [`crate::wire`] and nowhere else. Here our own program
//! talks to our own program, at an address that its operator typed.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use url::{Host, Url};

use crate::config::Hidden;

/// Looking up and connecting.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// The whole call: a component is compiled while we wait. A little longer than a host takes at most that judges no other one
/// meanwhile.
const CALL_MAX: Duration = Duration::from_secs(310);
/// An answer at most.
const ANSWER_MAX_BYTES: usize = 16 << 20;

/// One side of one host: where it listens and what to sign in with.
pub struct Client {
    base: Url,
    token: Hidden<String>,
    /// What a TLS connection trusts; none where the host speaks plain HTTP.
    tls: Option<Arc<ClientConfig>>,
}

/// Why a call has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody answered.
    #[error("{url} does not answer: {cause:#}")]
    Unreachable { url: String, cause: anyhow::Error },
    /// It answered that it did not do it.
    #[error("{}", problem_text(*status, problem))]
    Refused { status: StatusCode, problem: Value },
}

/// What is sent along.
pub enum Body {
    Nothing,
    Json(Value),
    /// A component, and the document that vouches for it.
    Wasm {
        component: Vec<u8>,
        signature: Option<Vec<u8>>,
    },
}

impl Client {
    /// For the host at `base`, such as `http://127.0.0.1:8081`. With `https`, its certificate is checked against the
    /// system's authorities, or against those in the PEM file `authorities` alone.
    pub fn new(base: &str, token: Hidden<String>, authorities: Option<&Path>) -> anyhow::Result<Self> {
        let base = Url::parse(base)
            .ok()
            .filter(Url::has_host)
            .with_context(|| format!("`{base}` is no URL; write one such as http://127.0.0.1:8081"))?;
        let tls = match base.scheme() {
            "http" => None,
            "https" => Some(Arc::new(trust(authorities)?)),
            scheme => bail!("`{scheme}` is neither http nor https"),
        };
        Ok(Self { base, token, tls })
    }

    /// Calls `path` and returns the JSON of a 2xx answer; null where it has no body.
    pub async fn call(&self, method: Method, path: &str, body: Body) -> Result<Value, CallError> {
        self.call_with(method, path, None, body).await
    }

    /// As [`Client::call`], with an idempotency key, which merchants' POSTs need.
    pub async fn call_with(
        &self,
        method: Method,
        path: &str,
        idempotency_key: Option<&str>,
        body: Body,
    ) -> Result<Value, CallError> {
        let unreachable = |cause| CallError::Unreachable { url: self.base.to_string(), cause };
        let request = self.request(method, path, idempotency_key, body).map_err(unreachable)?;
        let (status, bytes) = tokio::time::timeout(CALL_MAX, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {} s", CALL_MAX.as_secs())))
            .map_err(unreachable)?;
        let value = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        match value {
            Ok(value) if status.is_success() => Ok(value),
            Ok(problem) => Err(CallError::Refused { status, problem }),
            Err(_) if !status.is_success() => Err(CallError::Refused { status, problem: Value::Null }),
            Err(error) => {
                Err(unreachable(anyhow::Error::new(error).context("the answer is not JSON; is it Interlock?")))
            }
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        idempotency_key: Option<&str>,
        body: Body,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut vouched = None;
        let (content_type, bytes) = match body {
            Body::Nothing => (None, Bytes::new()),
            Body::Json(value) => (Some("application/json"), Bytes::from(value.to_string())),
            Body::Wasm { component, signature } => {
                vouched = signature;
                (Some("application/wasm"), Bytes::from(component))
            }
        };
        let host = self.base.host_str().context("the URL names a host")?;
        let host = self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base.path().trim_end_matches('/')))
            .header(header::HOST, host)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose()));
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if let Some(document) = vouched {
            request = request.header("interlock-signature", STANDARD.encode(document));
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        Ok(request.body(Full::new(bytes))?)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let host = self.base.host().context("the URL names a host")?;
        let port = self.base.port_or_known_default().context("the URL names a port")?;
        let connect = async {
            match host {
                Host::Domain(name) => tokio::net::TcpStream::connect((name, port)).await,
                Host::Ipv4(address) => tokio::net::TcpStream::connect((address, port)).await,
                Host::Ipv6(address) => tokio::net::TcpStream::connect((address, port)).await,
            }
        };
        let stream = tokio::time::timeout(CONNECT_MAX, connect)
            .await
            .with_context(|| format!("no connection within {} s", CONNECT_MAX.as_secs()))??;
        let Some(tls) = &self.tls else { return talk(stream, request).await };
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.to_owned())?,
            Host::Ipv4(address) => ServerName::from(std::net::IpAddr::from(address)),
            Host::Ipv6(address) => ServerName::from(std::net::IpAddr::from(address)),
        };
        let stream = tokio_rustls::TlsConnector::from(Arc::clone(tls))
            .connect(name, stream)
            .await
            .context("no TLS connection; INTERLOCK_OPERATOR_CA names the PEM file of an authority of your own")?;
        talk(stream, request).await
    }
}

/// One request on one connection.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let reply = sender.send_request(request).await?;
        let status = reply.status();
        let body = Limited::new(reply.into_body(), ANSWER_MAX_BYTES)
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
        Ok((status, body.to_bytes()))
    };
    // The connection moves bytes while the exchange waits for them; it ends when the exchange has its answer.
    tokio::pin!(connection, exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(error.into()),
        },
    }
}

fn trust(authorities: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(path) => {
            for certificate in
                CertificateDer::pem_file_iter(path).with_context(|| format!("{} could not be read", path.display()))?
            {
                roots.add(certificate.with_context(|| format!("{} is no PEM file", path.display()))?)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("the provider knows the protocol's versions")?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// A problem document as one reads it: `404 not_found: there is no such connector`, and a line for each reason.
fn problem_text(status: StatusCode, problem: &Value) -> String {
    let text = |name: &str| problem.get(name).and_then(Value::as_str);
    let code = text("code").map(|code| format!(" {code}")).unwrap_or_default();
    let mut line = format!("{}{code}", status.as_u16());
    if let Some(detail) = text("detail").or_else(|| text("title")) {
        line.push_str(": ");
        line.push_str(detail);
    }
    for error in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let pointer = error.get("pointer").and_then(Value::as_str).unwrap_or_default();
        let detail = error.get("detail").and_then(Value::as_str).unwrap_or_default();
        line.push_str("\n  ");
        if !pointer.is_empty() {
            line.push_str(pointer);
            line.push(' ');
        }
        line.push_str(detail);
    }
    if status == StatusCode::UNAUTHORIZED {
        line.push_str("; INTERLOCK_OPERATOR_TOKEN must be that of the host");
    }
    line
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A host that reads one request and answers with `answer`; returns its URL and what it read.
    async fn answers(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut read = vec![0; 4096];
            let length = stream.read(&mut read).await.expect("a request");
            read.truncate(length);
            stream.write_all(answer.as_bytes()).await.expect("it listens");
            String::from_utf8(read).expect("text")
        });
        (url, task)
    }

    fn client(url: &str) -> Client {
        Client::new(url, Hidden::new("token".into()), None).expect("a plain URL")
    }

    #[tokio::test]
    async fn a_call_signs_in_and_reads_the_answer() {
        let (url, seen) = answers("HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\n{\"id\":\"x\"}").await;
        let body = Body::Json(serde_json::json!({"name": "dev"}));
        let answer = client(&url).call_with(Method::POST, "/admin/merchants", Some("key"), body).await.expect("201");
        assert_eq!(answer, serde_json::json!({"id": "x"}));
        let seen = seen.await.expect("it was asked");
        assert!(seen.starts_with("POST /admin/merchants HTTP/1.1\r\n"), "{seen}");
        for line in ["authorization: Bearer token", "idempotency-key: key", "content-type: application/json"] {
            assert!(seen.contains(line), "{seen} lacks {line}");
        }
        assert!(seen.ends_with("{\"name\":\"dev\"}"), "{seen}");
    }

    #[tokio::test]
    async fn a_problem_is_shown_with_every_reason() {
        let (url, _) = answers(concat!(
            "HTTP/1.1 422 x\r\nconnection: close\r\n\r\n",
            r#"{"code":"invalid_request","detail":"no","errors":[{"pointer":"/name","detail":"is missing"}]}"#
        ))
        .await;
        let error = client(&url).call(Method::GET, "/", Body::Nothing).await.expect_err("422");
        assert_eq!(error.to_string(), "422 invalid_request: no\n  /name is missing");
    }

    #[tokio::test]
    async fn what_does_not_answer_is_named() {
        let error = client("http://127.0.0.1:1").call(Method::GET, "/", Body::Nothing).await.expect_err("nobody");
        assert!(error.to_string().starts_with("http://127.0.0.1:1/ does not answer: "), "{error}");
        assert!(Client::new("8081", Hidden::new("token".into()), None).is_err());
        assert!(Client::new("ftp://x", Hidden::new("token".into()), None).is_err());
    }
}
