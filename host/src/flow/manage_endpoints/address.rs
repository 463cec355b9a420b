//! Whether events may be sent to a URL, as far as that can be said when it is entered.
//!
//! The address is checked again whenever a connection is made, and that check is the one that counts. This one is for the
//! merchant, who learns now what could never work.

use url::Url;

use super::super::{Fault, Refusal};
use crate::app::App;

/// Refuses what is not spoken (plain HTTP), and what leads to a place that is not on the public internet, unless private
/// networks are allowed. `text` is a URL of the web. A name that leads nowhere is taken: it may lead somewhere tomorrow.
pub(super) async fn check(app: &App, text: &str) -> Result<(), Refusal> {
    let refused = |detail: String| Err(Refusal::Invalid(vec![Fault::new("/url", detail)]));
    let url = Url::parse(text).map_err(|error| anyhow::Error::new(error).context("a URL that was read before"))?;
    if url.scheme() != "https" && !app.config.allow_private_networks {
        return refused("must be an https URL".to_owned());
    }
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return refused("must name a host".to_owned());
    };
    match app.wire.why_unreachable(&host.to_owned(), port).await {
        Some(why) => refused(why),
        None => Ok(()),
    }
}
