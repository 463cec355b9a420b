//! What the requests of one gateway account may do: the origins they may go to and the places where holes may stand.
//!
//! A connector's descriptor declares both, the operator approves them by installing that version, and the account's
//! settings fill in the ones that it left open (`setting:base_url`).

use std::fmt;

use url::Url;

use crate::connector::types::{Descriptor, Location, Method, Pairs, Setting};

/// How a descriptor names an origin that the account's settings give.
const SETTING_PREFIX: &str = "setting:";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

/// Scheme, host and port: what a connection is made to, and what is approved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    pub scheme: Scheme,
    pub host: url::Host<String>,
    pub port: u16,
}

impl Origin {
    /// The origin of a URL; none where it is neither http nor https.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return None,
        };
        Some(Self { scheme, host: url.host()?.to_owned(), port: url.port_or_known_default()? })
    }

    /// As a `Host` header says it: the port only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        match (self.scheme, self.port) {
            (Scheme::Https, 443) | (Scheme::Http, 80) => self.host.to_string(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// A placement of the descriptor with its origin resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub hole: String,
    pub method: Method,
    pub origin: Origin,
    /// With the path of the setting's URL in front, where the origin is a setting.
    pub path_prefix: String,
    pub location: Location,
    pub name: String,
}

/// What the requests of one gateway account may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    pub origins: Vec<Origin>,
    pub placements: Vec<Allowed>,
}

/// Why an account's settings and a descriptor make no permit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermitError {
    #[error("the setting {name:?}, which names an origin, is missing")]
    SettingIsMissing { name: String },
    #[error("the descriptor speaks of a setting {name:?} that it does not declare")]
    SettingIsUndeclared { name: String },
    #[error("{text:?} is no base URL: {why}")]
    NotABaseUrl { text: String, why: String },
    #[error("the placement of {hole} names {origin:?}, which the descriptor does not declare as an origin")]
    PlacementElsewhere { hole: String, origin: String },
}

/// An origin as the descriptor names it, and what it stands for in this account.
struct Base {
    origin: Origin,
    /// Without a slash at its end; empty for an origin without a path.
    path: String,
}

impl Permit {
    /// Resolves the descriptor's origins and placements with an account's settings.
    ///
    /// An origin whose setting is optional and absent is left out, with its placements.
    pub fn new(descriptor: &Descriptor, settings: &Pairs) -> Result<Self, PermitError> {
        let mut bases = Vec::with_capacity(descriptor.origins.len());
        for declared in &descriptor.origins {
            bases.push((declared.as_str(), resolve(declared, &descriptor.settings, settings)?));
        }
        let mut placements = Vec::with_capacity(descriptor.placements.len());
        for placement in &descriptor.placements {
            let Some((_, base)) = bases.iter().find(|(declared, _)| *declared == placement.origin) else {
                let (hole, origin) = (placement.hole.clone(), placement.origin.clone());
                return Err(PermitError::PlacementElsewhere { hole, origin });
            };
            if let Some(base) = base {
                placements.push(Allowed {
                    hole: placement.hole.clone(),
                    method: placement.method,
                    origin: base.origin.clone(),
                    path_prefix: join(&base.path, &placement.path_prefix),
                    location: placement.location,
                    name: placement.name.clone(),
                });
            }
        }
        let origins = bases.into_iter().filter_map(|(_, base)| base.map(|base| base.origin)).collect();
        Ok(Self { origins, placements })
    }
}

fn resolve(declared: &str, known: &[Setting], settings: &Pairs) -> Result<Option<Base>, PermitError> {
    let Some(name) = declared.strip_prefix(SETTING_PREFIX) else {
        return base_of(declared).map(Some);
    };
    let Some(setting) = known.iter().find(|setting| setting.name == name) else {
        return Err(PermitError::SettingIsUndeclared { name: name.to_owned() });
    };
    let given = settings.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match given.or(setting.default.as_deref()).filter(|value| !value.is_empty()) {
        Some(value) => base_of(value).map(Some),
        None if setting.required => Err(PermitError::SettingIsMissing { name: name.to_owned() }),
        None => Ok(None),
    }
}

fn base_of(text: &str) -> Result<Base, PermitError> {
    let refuse = |why: &str| PermitError::NotABaseUrl { text: text.to_owned(), why: why.to_owned() };
    let url = Url::parse(text).map_err(|fault| refuse(&fault.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        // The text of this error is shown and logged, and what stands before the @ may be a password.
        let text = format!("{}://…@{}", url.scheme(), url.host_str().unwrap_or_default());
        return Err(PermitError::NotABaseUrl { text, why: "it must not carry a user or password".to_owned() });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it must not carry a query or fragment"));
    }
    let origin = Origin::of(&url).ok_or_else(|| refuse("only https (and http in development) is spoken"))?;
    Ok(Base { origin, path: url.path().trim_end_matches('/').to_owned() })
}

/// A path prefix under a base path. Both have one slash between them, whoever wrote it.
fn join(base: &str, prefix: &str) -> String {
    format!("{base}/{}", prefix.trim_start_matches('/'))
}

/// Whether `path` lies under `prefix`: equal to it, or beyond it at a slash (`/v1/ab` is not under `/v1/a`).
pub fn is_under(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::fixtures::{descriptor, placement, setting};
    use super::*;

    fn pairs(name: &str, value: &str) -> Pairs {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn a_setting_resolves_origins_and_placements() {
        let mut descriptor = descriptor(&["setting:base_url", "https://api.example.com"]);
        descriptor.placements.push(placement("card-number", "setting:base_url", "/charges", "/number"));
        let permit = Permit::new(&descriptor, &pairs("base_url", "http://LocalHost:8090/tenant/")).unwrap();
        let shown: Vec<_> = permit.origins.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["http://localhost:8090", "https://api.example.com"]);
        assert_eq!(permit.placements[0].path_prefix, "/tenant/charges");
        assert_eq!(permit.placements[0].origin, permit.origins[0]);
    }

    #[test]
    fn ports_of_their_schemes_are_the_same_origin() {
        let of = |text: &str| Origin::of(&Url::parse(text).unwrap()).unwrap();
        assert_eq!(of("https://a.example/x"), of("https://A.example:443/y"));
        assert_ne!(of("https://a.example/"), of("https://a.example:444/"));
        assert_ne!(of("https://a.example/"), of("http://a.example:443/"));
        assert_ne!(of("https://a.example/"), of("https://a.example./"));
    }

    #[test]
    fn settings_that_are_no_base_url_are_refused() {
        let descriptor = descriptor(&["setting:base_url"]);
        for bad in [
            "example.com",
            "ftp://example.com",
            "https://u:p@example.com",
            "https://e.com/?a",
            "https://e.com/#a",
            "//e.com",
        ] {
            let outcome = Permit::new(&descriptor, &pairs("base_url", bad));
            let Err(fault @ PermitError::NotABaseUrl { .. }) = outcome else { panic!("{bad} gave {outcome:?}") };
            assert!(!fault.to_string().contains("u:p"));
        }
        assert_eq!(
            Permit::new(&descriptor, &Pairs::new()),
            Err(PermitError::SettingIsMissing { name: "base_url".to_owned() })
        );
    }

    /// An origin by setting is the one that a browser would go to, however it is spelled; nothing else of the setting
    /// reaches further than its path.
    #[test]
    fn a_setting_is_no_way_to_another_origin() {
        let descriptor = descriptor(&["setting:base_url"]);
        for (given, origin) in [
            ("https://API.example.com/v1/../v2/", Some("https://api.example.com")),
            ("https://api.example.com.", Some("https://api.example.com.")),
            ("https://api.example.com:8443/x", Some("https://api.example.com:8443")),
            ("https://äpi.example", Some("https://xn--pi-uia.example")),
            ("https://\u{430}pi.example", Some("https://xn--pi-6kc.example")),
            ("https://0x7f.1", Some("https://127.0.0.1")),
            ("https://2130706433", Some("https://127.0.0.1")),
            ("https://017700000001", Some("https://127.0.0.1")),
            ("https://[::ffff:127.0.0.1]", Some("https://[::ffff:7f00:1]")),
            ("https://[fe80::1%25eth0]", None),
            ("https://api.example.com@evil.example", None),
            ("https://:secret@evil.example", None),
            ("https://api.example.com:99999", None),
            ("https://", None),
            ("javascript:alert(1)", None),
            ("file:///etc/passwd", None),
        ] {
            let permit = Permit::new(&descriptor, &pairs("base_url", given));
            let found = permit.as_ref().ok().map(|permit| permit.origins[0].to_string());
            assert_eq!(found.as_deref(), origin, "{given}: {permit:?}");
        }
    }

    #[test]
    fn an_optional_setting_may_be_absent() {
        let mut descriptor = descriptor(&["setting:second"]);
        descriptor.settings.push(setting("second", false));
        descriptor.placements.push(placement("card-number", "setting:second", "/", "/number"));
        let permit = Permit::new(&descriptor, &Pairs::new()).unwrap();
        assert!(permit.origins.is_empty() && permit.placements.is_empty());
    }

    #[test]
    fn a_placement_elsewhere_is_refused() {
        let mut descriptor = descriptor(&["https://api.example.com"]);
        descriptor.placements.push(placement("card-number", "https://evil.example", "/", "/number"));
        assert!(matches!(Permit::new(&descriptor, &Pairs::new()), Err(PermitError::PlacementElsewhere { .. })));
    }

    #[test]
    fn prefixes_end_at_a_slash() {
        for (path, prefix, under) in [
            ("/v1/charges", "/v1/", true),
            ("/v1/charges", "/v1/charges", true),
            ("/v1/charges/ch_1", "/v1/charges", true),
            ("/v1/charges_evil", "/v1/charges", false),
            ("/v1", "/v1/", false),
            ("/v2/charges", "/v1/", false),
            ("/anything", "/", true),
        ] {
            assert_eq!(is_under(path, prefix), under, "{path} under {prefix}");
        }
    }
}
