//! Whether a request, holes and all, keeps to what its account permits. Needs no values and no network, so the flow
//! asks before it writes a request down, and the wire asks again before it sends.

use url::Url;

use super::permit::{Origin, Permit, Scheme, is_under};
use super::placement::{Step, json_holes, pointer_names, pointer_of};
use super::refused::Refused;
use crate::connector::types::{Body, Computation, Location, Material, Method, Request, Segment, Template};

/// Longest URL, in bytes. Servers commonly refuse more than this.
const URL_BYTES_MAX: usize = 8 * 1024;
/// Headers that one request may carry.
const HEADERS_MAX: usize = 64;
/// Computed values that one request may have.
const COMPUTED_MAX: usize = 16;

/// Headers that belong to the host: they say where the message begins and ends, who it is for, or what the connection
/// does next. `accept-encoding` because a compressed echo could not be scrubbed.
const HOST_HEADERS: [&str; 11] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Which schemes may be spoken. Plain HTTP is for development, with private networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemes {
    HttpsOnly,
    HttpToo,
}

/// A request that has passed, with its URL as it will be sent.
#[derive(Clone, Debug)]
pub struct Checked {
    pub url: Url,
    pub origin: Origin,
}

/// Checks URL, origin, headers, body and computed values, and that every hole stands in a declared place.
pub fn check(request: &Request, permit: &Permit, schemes: Schemes) -> Result<Checked, Refused> {
    let url = check_url(&request.url)?;
    let origin = Origin::of(&url).ok_or_else(|| refuse_url("only http and https are spoken"))?;
    if origin.scheme == Scheme::Http && schemes == Schemes::HttpsOnly {
        return Err(refuse_url("plain http is for development, where private networks are allowed"));
    }
    if !permit.origins.contains(&origin) {
        return Err(Refused::Origin { origin: origin.to_string() });
    }
    check_computed(request)?;
    let places = Places { permit, request, origin: &origin, path: url.path() };
    places.check_headers()?;
    places.check_body()?;
    Ok(Checked { url, origin })
}

/// Parses the URL the way it will be sent, and refuses what two parsers might read differently.
fn check_url(text: &str) -> Result<Url, Refused> {
    if text.len() > URL_BYTES_MAX {
        return Err(Refused::TooLarge { what: "URL", max: URL_BYTES_MAX });
    }
    if text.bytes().any(|byte| !(0x21..=0x7e).contains(&byte) || byte == b'\\') {
        return Err(refuse_url("only visible ASCII without backslashes; the rest is to be percent-encoded"));
    }
    let url = Url::parse(text).map_err(|fault| refuse_url(&fault.to_string()))?;
    // The parser forgives `https:/host` and `https:host`; other readers do not.
    let after_scheme = text.get(url.scheme().len()..).and_then(|rest| rest.strip_prefix("://"));
    let Some(after_scheme) = after_scheme.filter(|rest| !rest.starts_with('/')) else {
        return Err(refuse_url("two slashes stand between scheme and host"));
    };
    let authority_end = after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len());
    let (authority, rest) = after_scheme.split_at(authority_end);
    if authority.contains('@') {
        return Err(refuse_url("it must not carry a user or password"));
    }
    if text.contains('#') {
        return Err(refuse_url("it must not carry a fragment"));
    }
    let path_as_written = rest.split('?').next().unwrap_or_default();
    if path_as_written != url.path() && !(path_as_written.is_empty() && url.path() == "/") {
        return Err(refuse_url("the path is not in its normal form"));
    }
    if has_hidden_dots(url.path()) {
        return Err(refuse_url("the path hides a step upwards"));
    }
    Ok(url)
}

/// Whether a path, decoded once more by a careless server, would contain `.` or `..` as a segment.
fn has_hidden_dots(path: &str) -> bool {
    let decoded = percent_decode(path);
    decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|piece| piece == b"." || piece == b"..")
}

fn percent_decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%'
            && let Some((digits, after)) = tail.split_at_checked(2)
            && let Some(byte) = std::str::from_utf8(digits).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            decoded.push(byte);
            rest = after;
        } else {
            decoded.push(*first);
            rest = tail;
        }
    }
    decoded
}

fn refuse_url(why: &str) -> Refused {
    Refused::Url { why: why.to_owned() }
}

/// Names are unique, and each is made of what comes before it. A body that holds a computed value cannot be what that
/// value, or any other, is computed over: what is signed is what is sent.
fn check_computed(request: &Request) -> Result<(), Refused> {
    if request.computed.len() > COMPUTED_MAX {
        let name = request.computed.last().map(|computed| computed.name.clone()).unwrap_or_default();
        return Err(Refused::Computed { name, why: "a request has at most 16 of them" });
    }
    let body_is_computed = body_templates(&request.body)
        .any(|template| template.iter().any(|segment| matches!(segment, Segment::Computed(_))));
    for (position, computed) in request.computed.iter().enumerate() {
        let refuse = |why| Err(Refused::Computed { name: computed.name.clone(), why });
        let before = request.computed.iter().take(position);
        if before.clone().any(|earlier| earlier.name == computed.name) {
            return refuse("its name is taken");
        }
        for material in &computed.over {
            match material {
                Material::Computed(name) if !before.clone().any(|earlier| earlier.name == *name) => {
                    return refuse("it is made of a value that is not computed before it");
                }
                Material::RenderedBody if body_is_computed => {
                    return refuse("it is made of the body, and the body holds a computed value");
                }
                Material::Computed(_) | Material::RenderedBody | Material::RenderedUrl | Material::Literal(_) => {}
            }
        }
        if let Computation::Mac((_, secret)) = &computed.computation
            && secret.is_empty()
        {
            return refuse("it names no secret");
        }
    }
    Ok(())
}

fn body_templates(body: &Body) -> impl Iterator<Item = &Template> {
    let (single, fields): (Option<&Template>, &[(String, Template)]) = match body {
        Body::Empty => (None, &[]),
        Body::Json(template) | Body::Raw((_, template)) => (Some(template), &[]),
        Body::Form(fields) => (None, fields),
    };
    single.into_iter().chain(fields.iter().map(|(_, template)| template))
}

/// The request's holes against the permit's placements.
struct Places<'a> {
    permit: &'a Permit,
    request: &'a Request,
    origin: &'a Origin,
    path: &'a str,
}

/// Where one hole stands.
enum Spot<'a> {
    Header(&'a str),
    Field(&'a str),
    Json(&'a [Step]),
    RawBody,
}

impl Places<'_> {
    fn check_headers(&self) -> Result<(), Refused> {
        let headers = &self.request.headers;
        if headers.len() > HEADERS_MAX {
            let name = headers.last().map(|(name, _)| name.clone()).unwrap_or_default();
            return Err(Refused::Header { name, why: "a request has at most 64 headers" });
        }
        for (position, (name, template)) in headers.iter().enumerate() {
            let refuse = |why| Err(Refused::Header { name: name.clone(), why });
            if !is_lower_token(name) {
                return refuse("its name must be a token in lower case");
            }
            if HOST_HEADERS.contains(&name.as_str()) || name.starts_with("proxy-") {
                return refuse("it is the host's to set");
            }
            if name == "content-type" && !self.may_set_content_type(template) {
                return refuse("the body says its own content type");
            }
            if headers.iter().take(position).any(|(earlier, _)| earlier == name) {
                return refuse("it stands there twice");
            }
            for segment in template {
                if let Segment::Text(text) = segment
                    && !is_header_text(text.as_bytes())
                {
                    return refuse("its value must be visible ASCII, spaces and tabs");
                }
                self.check_hole(segment, &Spot::Header(name))?;
            }
        }
        Ok(())
    }

    /// Only a JSON body leaves its type open (`application/vnd.api+json`); no hole may stand in it.
    fn may_set_content_type(&self, template: &Template) -> bool {
        let says_json = |text: &String| text.contains("json");
        matches!(self.request.body, Body::Json(_))
            && matches!(template.as_slice(), [Segment::Text(text)] if says_json(text))
    }

    fn check_body(&self) -> Result<(), Refused> {
        let body = &self.request.body;
        if self.request.method == Method::Get && *body != Body::Empty {
            return Err(Refused::Body { why: "a GET carries none" });
        }
        match body {
            Body::Empty => Ok(()),
            Body::Json(template) => {
                let paths = json_holes(template).map_err(Refused::Json)?;
                let holes = template.iter().filter(|segment| !matches!(segment, Segment::Text(_)));
                holes.zip(&paths).try_for_each(|(hole, path)| self.check_hole(hole, &Spot::Json(path)))
            }
            Body::Form(fields) => fields.iter().try_for_each(|(name, template)| {
                template.iter().try_for_each(|segment| self.check_hole(segment, &Spot::Field(name)))
            }),
            Body::Raw((content_type, template)) => {
                if content_type.is_empty() || !is_header_text(content_type.as_bytes()) {
                    return Err(Refused::Body { why: "its content type is not visible ASCII" });
                }
                template.iter().try_for_each(|segment| self.check_hole(segment, &Spot::RawBody))
            }
        }
    }

    fn check_hole(&self, segment: &Segment, spot: &Spot<'_>) -> Result<(), Refused> {
        if let Segment::Computed(name) = segment
            && !self.request.computed.iter().any(|computed| computed.name == *name)
        {
            return Err(Refused::Computed { name: name.clone(), why: "the request does not say how to compute it" });
        }
        for hole in names(segment) {
            if !self.permit.placements.iter().any(|allowed| {
                allowed.hole == hole
                    && allowed.method == self.request.method
                    && allowed.origin == *self.origin
                    && is_under(self.path, &allowed.path_prefix)
                    && spot.is_named_by(allowed.location, &allowed.name)
            }) {
                return Err(Refused::Misplaced { hole, place: spot.shown() });
            }
        }
        Ok(())
    }
}

impl Spot<'_> {
    fn is_named_by(&self, location: Location, name: &str) -> bool {
        match (self, location) {
            (Self::Header(header), Location::Header) => name.eq_ignore_ascii_case(header),
            (Self::Field(field), Location::FormField) => name == *field,
            (Self::Json(path), Location::JsonString) => pointer_names(name, path),
            (Self::RawBody, Location::RawBody) => true,
            (Self::Header(_) | Self::Field(_) | Self::Json(_) | Self::RawBody, _) => false,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Header(name) => format!("the header {name:?}"),
            Self::Field(name) => format!("the form field {name:?}"),
            Self::Json(path) => format!("the JSON string at {:?}", pointer_of(path)),
            Self::RawBody => "the body".to_owned(),
        }
    }
}

/// What placements call the holes of a segment; text has none, basic authentication up to two.
pub fn names(segment: &Segment) -> Vec<String> {
    let fixed = match segment {
        Segment::Text(_) => return Vec::new(),
        Segment::Secret(name) => return vec![format!("secret:{name}")],
        Segment::Session(name) => return vec![format!("session:{name}")],
        Segment::Computed(name) => return vec![format!("computed:{name}")],
        Segment::BasicAuth((first, second)) => {
            let named = [first, second].into_iter().filter(|name| !name.is_empty());
            return named.map(|name| format!("secret:{name}")).collect();
        }
        Segment::CardNumber => "card-number",
        Segment::CardCvc => "card-cvc",
        Segment::CardHolder => "card-holder",
        Segment::CardExpiryMonth => "card-expiry-month",
        Segment::CardExpiryYear => "card-expiry-year",
        Segment::CardExpiryYearShort => "card-expiry-year-short",
        Segment::WalletToken => "wallet-token",
        Segment::GatewayToken => "gateway-token",
    };
    vec![fixed.to_owned()]
}

/// A header name as RFC 9110 has it, without capitals.
fn is_lower_token(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// What may stand in a header's value: no line ends, no NUL, nothing beyond ASCII.
pub fn is_header_text(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == b'\t' || (0x20..=0x7e).contains(byte))
}
