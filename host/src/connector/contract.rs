//! The versions of the contract that this host serves, and which of them a component keeps.
//!
//! Records and variants are closed in WIT, so a component of one version cannot be called as one of another: to every
//! field that is added an older component has no place. Two versions are served, so that nobody has to change all
//! connectors on the day of an update: the newest, which the rest of the host speaks, and the one before, which
//! [`super::compat`] turns into it. The rules for both are in `docs/wit.md`.

use super::{
    admission::{Reason, ReasonCode},
    bindings::PACKAGE,
};

/// A version of the contract that this host serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// 0.2.0, by [`super::compat::v0_2`].
    V0_2,
    /// `wit/connector.wit` as it is now. The host's own types are this version's.
    Newest,
}

impl Contract {
    /// All of them, the newest first.
    pub const SERVED: [Self; 2] = [Self::Newest, Self::V0_2];

    /// Its number, as it stands in the names of a component's imports and exports.
    pub fn version(self) -> &'static str {
        match self {
            Self::V0_2 => "0.2.0",
            Self::Newest => "0.3.0",
        }
    }

    /// Its text.
    pub fn wit(self) -> &'static str {
        match self {
            Self::V0_2 => include_str!("../../../wit/released/0.2.0/connector.wit"),
            Self::Newest => include_str!("../../../wit/connector.wit"),
        }
    }

    /// The full name of one of its interfaces.
    pub fn interface(self, name: &str) -> String {
        format!("{PACKAGE}/{name}@{}", self.version())
    }

    /// The one with exactly this number. What differs in the last digit only is another contract: nobody has said what
    /// it is.
    pub fn of_version(version: &str) -> Option<Self> {
        Self::SERVED.into_iter().find(|contract| contract.version() == version)
    }

    /// The one that a component keeps which imports and exports these names; or why there is none. A component that
    /// names nothing of ours is held to the newest, so that it is told what it lacks of that.
    pub fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, Reason> {
        let mut found: Vec<&str> = names.filter_map(version_of).collect();
        found.sort_unstable();
        found.dedup();
        match *found.as_slice() {
            [] => Ok(Self::Newest),
            [version] => Self::of_version(version).ok_or_else(|| unserved(version)),
            _ => {
                let named = |version: &&'a str| if version.is_empty() { "none" } else { *version };
                let found: Vec<_> = found.iter().map(named).collect();
                Err(Reason::new(
                    ReasonCode::ContractVersion,
                    format!("it mixes the versions {} of {PACKAGE}; {}", found.join(" and "), served()),
                    "build all of it, the SDK included, against one version: delete the target folder and build again",
                ))
            }
        }
    }
}

/// Which version of our package a name is of: `0.1.0` of `interlock:connector/egress@0.1.0`, nothing of one without a
/// version. None where it is of another package.
fn version_of(name: &str) -> Option<&str> {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    path.strip_prefix(PACKAGE)?.starts_with('/').then_some(version)
}

fn unserved(version: &str) -> Reason {
    let newest = Contract::Newest.version();
    let detail = match version {
        "" => format!("it names no version of {PACKAGE}; {}", served()),
        _ => format!("it is built against {PACKAGE}@{version}; {}", served()),
    };
    let rebuild =
        format!("rebuild it with the SDK of {newest}, which `interlock connector new` of this release writes");
    let is_newer = |version: &str| {
        let parsed = |text| semver::Version::parse(text).ok();
        parsed(version).zip(parsed(newest)).is_some_and(|(its, ours)| its > ours)
    };
    let hint = if is_newer(version) {
        format!("update the host to a release that serves {version}, or {rebuild}")
    } else {
        rebuild
    };
    Reason::new(ReasonCode::ContractVersion, detail, hint)
}

fn served() -> String {
    let versions: Vec<_> = Contract::SERVED.into_iter().map(Contract::version).collect();
    format!("this host serves {}", versions.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Contract, Reason> {
        Contract::of_names(names.iter().copied())
    }

    #[test]
    fn every_served_version_is_the_one_that_its_text_names() {
        for contract in Contract::SERVED {
            let line = format!("package {PACKAGE}@{};", contract.version());
            assert!(contract.wit().lines().any(|found| found == line), "{line}");
            assert_eq!(Contract::of_version(contract.version()), Some(contract));
        }
    }

    #[test]
    fn a_component_keeps_the_one_version_that_it_names() {
        let old = ["interlock:connector/egress@0.2.0", "wasi:clocks/monotonic-clock@0.2.0"];
        assert_eq!(of(&old), Ok(Contract::V0_2));
        assert_eq!(of(&["interlock:connector/gateway@0.3.0"]), Ok(Contract::Newest));
        assert_eq!(
            of(&["wasi:clocks/monotonic-clock@0.3.0", "interlock:connectors/egress@9.9.9"]),
            Ok(Contract::Newest)
        );
    }

    #[test]
    fn what_is_not_served_is_told_what_is() {
        let reason = |version: &str| of(&[&format!("interlock:connector/gateway@{version}")]).unwrap_err();
        for version in ["0.0.9", "0.1.0", "0.2.1", "0.3.1", "0.4.0", "1.0.0", "junk"] {
            let reason = reason(version);
            assert_eq!(reason.code, ReasonCode::ContractVersion);
            assert!(reason.detail.contains(version), "{reason}");
            assert!(reason.detail.ends_with("this host serves 0.3.0 and 0.2.0"), "{reason}");
            assert!(reason.hint.contains("rebuild it with the SDK of 0.3.0"), "{reason}");
            // Only who is ahead of the host is told to update it.
            assert_eq!(
                reason.hint.contains("update the host"),
                ["0.3.1", "0.4.0", "1.0.0"].contains(&version),
                "{reason}"
            );
        }
        assert!(of(&["interlock:connector/gateway"]).unwrap_err().detail.starts_with("it names no version"));
    }

    #[test]
    fn two_versions_in_one_component_are_none() {
        let reason = of(&["interlock:connector/egress@0.2.0", "interlock:connector/gateway@0.3.0"]).unwrap_err();
        assert!(reason.detail.starts_with("it mixes the versions 0.2.0 and 0.3.0 of"), "{reason}");
    }
}
