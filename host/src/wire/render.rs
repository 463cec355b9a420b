//! From a checked request with holes to the bytes that are sent.
//!
//! What fills a hole is escaped for the place it stands in: the inside of a JSON string, a form value, a header, or as
//! it is in a raw body. Signatures are worked out after everything else is filled, over the very bytes that leave.
//! Buffers are wiped when they are dropped; what hyper, rustls and the kernel copy on the way out is theirs.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::check::{Checked, is_header_text, names};
use super::refused::Refused;
use crate::connector::types::{
    Body, Computation, Computed, Digest, Encoding, Material, Method, Request, Segment, Template,
};
use crate::vault::Holes;

/// All header names and values of one request together, in bytes. Servers commonly refuse more than this.
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// How the host introduces itself where the connector does not.
const USER_AGENT_DEFAULT: &str = concat!("interlock/", env!("CARGO_PKG_VERSION"));

/// A request as it goes out. Holds secrets: neither printed nor cloned.
pub struct Rendered {
    pub method: http::Method,
    /// Path and query.
    pub target: http::Uri,
    pub headers: HeaderMap,
    pub body: Zeroizing<Vec<u8>>,
}

/// Fills every hole of `request`, which has passed [`super::check::check`]. `body_max` is in bytes.
pub fn render(request: &Request, checked: &Checked, holes: &Holes, body_max: usize) -> Result<Rendered, Refused> {
    let mut values = Values { holes, computed: Vec::with_capacity(request.computed.len()) };
    let url = &checked.url;
    // The check made sure that not both are needed: a body to compute over, and a computed value in the body.
    let needs_body = request.computed.iter().any(|computed| computed.over.contains(&Material::RenderedBody));
    let mut body = None;
    if needs_body {
        body = Some(values.body(&request.body, body_max)?);
    }
    for computed in &request.computed {
        values.compute(computed, url.as_str().as_bytes(), body.as_ref().map_or(&[], |body| body.as_slice()))?;
    }
    let body = match body {
        Some(body) => body,
        None => values.body(&request.body, body_max)?,
    };
    let headers = headers(request, checked, &values, body.len())?;
    let target = url[url::Position::BeforePath..]
        .parse()
        .map_err(|_| Refused::Url { why: "its path is none that HTTP can carry".to_owned() })?;
    Ok(Rendered { method: method(request.method), target, headers, body })
}

fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    }
}

fn headers(
    request: &Request,
    checked: &Checked,
    values: &Values<'_>,
    body_length: usize,
) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 5);
    let host = HeaderValue::from_str(&checked.origin.authority()).expect("a parsed host is visible ASCII");
    headers.insert(HOST, host);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_DEFAULT));
    if body_length > 0 || matches!(request.method, Method::Post | Method::Put | Method::Patch) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body_length));
    }
    match &request.body {
        Body::Empty => {}
        Body::Json(_) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Body::Form(_) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        }
        Body::Raw((content_type, _)) => {
            let value = HeaderValue::from_str(content_type)
                .map_err(|_| Refused::Body { why: "its content type is no header value" })?;
            headers.insert(CONTENT_TYPE, value);
        }
    }
    let mut size = 0;
    for (name, template) in &request.headers {
        let value = values.header(name, template)?;
        size += name.len() + value.len();
        if size > HEADER_BYTES_MAX {
            return Err(Refused::TooLarge { what: "headers together", max: HEADER_BYTES_MAX });
        }
        let refuse = |why| Refused::Header { name: name.clone(), why };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse("its name is no header name"))?;
        // Shares the buffer, which is wiped when the last of its users is done.
        let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from_owner(value))
            .map_err(|_| refuse("its value is no header value"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// What stands in for holes: the vault's values, and those computed so far.
struct Values<'a> {
    holes: &'a Holes,
    computed: Vec<(String, String)>,
}

impl Values<'_> {
    fn of(&self, segment: &Segment) -> Result<Zeroizing<String>, Refused> {
        let found = match segment {
            Segment::Computed(name) => self.computed(name).map(|value| Zeroizing::new(value.to_owned())),
            other => self.holes.value(other),
        };
        found.ok_or_else(|| Refused::NoValue { hole: hole_name(segment) })
    }

    fn computed(&self, name: &str) -> Option<&str> {
        self.computed.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn body(&self, body: &Body, max: usize) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let mut out = Filler { bytes: Zeroizing::new(Vec::new()), max };
        match body {
            Body::Empty => {}
            Body::Json(template) => self.fill(&mut out, template, |out, value, segment| match segment {
                Segment::Text(_) => out.push(value.as_bytes()),
                _ => out.push_json(value),
            })?,
            Body::Raw((_, template)) => self.fill(&mut out, template, |out, value, _| out.push(value.as_bytes()))?,
            Body::Form(fields) => {
                for (position, (name, template)) in fields.iter().enumerate() {
                    if position > 0 {
                        out.push(b"&")?;
                    }
                    out.push_form(name)?;
                    out.push(b"=")?;
                    self.fill(&mut out, template, |out, value, _| out.push_form(value))?;
                }
            }
        }
        Ok(out.bytes)
    }

    fn fill(
        &self,
        out: &mut Filler,
        template: &Template,
        push: impl Fn(&mut Filler, &str, &Segment) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        template.iter().try_for_each(|segment| match segment {
            // Text may be long, and is no secret: not copied on the way.
            Segment::Text(text) => push(out, text, segment),
            hole => push(out, &self.of(hole)?, hole),
        })
    }

    fn header(&self, name: &str, template: &Template) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let mut out = Filler { bytes: Zeroizing::new(Vec::new()), max: HEADER_BYTES_MAX };
        self.fill(&mut out, template, |out, value, segment| {
            if is_header_text(value.as_bytes()) {
                return out.push(value.as_bytes());
            }
            Err(Refused::ValueUnfit { hole: hole_name(segment), place: format!("the header {name:?}") })
        })?;
        // What a server trims and what a signature was computed over would differ.
        let blank = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
        if blank(out.bytes.first()) || blank(out.bytes.last()) {
            let why = "its value begins or ends with a blank";
            return Err(Refused::Header { name: name.to_owned(), why });
        }
        Ok(out.bytes)
    }

    fn compute(&mut self, computed: &Computed, url: &[u8], body: &[u8]) -> Result<(), Refused> {
        let mut parts: Vec<&[u8]> = Vec::with_capacity(computed.over.len());
        for material in &computed.over {
            parts.push(match material {
                Material::Literal(text) => text.as_bytes(),
                Material::RenderedUrl => url,
                Material::RenderedBody => body,
                Material::Computed(name) => {
                    self.computed(name).ok_or_else(|| Refused::NoValue { hole: format!("computed:{name}") })?.as_bytes()
                }
            });
        }
        let raw = match &computed.computation {
            Computation::Digest(algorithm) => hash(*algorithm, &parts),
            Computation::Mac((mac, secret)) => self
                .holes
                .mac(*mac, secret, &parts)
                .ok_or_else(|| Refused::NoValue { hole: format!("secret:{secret}") })?,
        };
        let text = match computed.encoding {
            Encoding::Hex => hex(&raw),
            Encoding::Base64 => STANDARD.encode(&raw),
        };
        self.computed.push((computed.name.clone(), text));
        Ok(())
    }
}

fn hash(algorithm: Digest, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(match algorithm {
        Digest::Sha256 => &digest::SHA256,
        Digest::Sha512 => &digest::SHA512,
    });
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

fn hex(raw: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).expect("four bits make one digit");
    raw.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn hole_name(segment: &Segment) -> String {
    names(segment).join(" and ")
}

/// A buffer that leaves no copy behind when it grows, and that does not outgrow its bound.
struct Filler {
    bytes: Zeroizing<Vec<u8>>,
    max: usize,
}

impl Filler {
    fn push(&mut self, more: &[u8]) -> Result<(), Refused> {
        let length = self.bytes.len() + more.len();
        if length > self.max {
            return Err(Refused::TooLarge { what: "filled text", max: self.max });
        }
        if length > self.bytes.capacity() {
            // A vector that grows by itself frees its old place with everything in it.
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two().max(256)));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// As the inside of a JSON string.
    fn push_json(&mut self, value: &str) -> Result<(), Refused> {
        let mut rest = value;
        while let Some(at) = rest.find(|c: char| c < ' ' || matches!(c, '"' | '\\')) {
            let (plain, special) = rest.split_at(at);
            self.push(plain.as_bytes())?;
            let mut characters = special.chars();
            match characters.next() {
                Some('"') => self.push(b"\\\"")?,
                Some('\\') => self.push(b"\\\\")?,
                Some(control) => self.push(format!("\\u{:04x}", u32::from(control)).as_bytes())?,
                None => {}
            }
            rest = characters.as_str();
        }
        self.push(rest.as_bytes())
    }

    /// As a form's name or value.
    fn push_form(&mut self, value: &str) -> Result<(), Refused> {
        form_urlencoded::byte_serialize(value.as_bytes()).try_for_each(|piece| self.push(piece.as_bytes()))
    }
}
