//! Who may call: merchants by their API keys on the public listener, operators by their token on the other.
//!
//! Both stand in front of whole groups of routes, so that no route can forget them.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, header};
use moka::{future, sync};

use super::{
    Http,
    extract::Merchant,
    problem::{Code, Problem},
};
use crate::{
    app::App,
    domain::id::{ApiKeyId, MerchantId},
    store,
    vault::{PresentedApiKey, secrets_are_equal},
};

/// How long a key that was found may be believed without asking again. A revocation counts on every host within a
/// second; what is left of that second is for the look-up itself.
const KEY_BELIEVED_FOR: Duration = Duration::from_millis(750);
const KEYS_BELIEVED_MAX: u64 = 100_000;

/// How long this host remembers what it revoked itself: longer than a look-up that began before may last.
const REVOKED_REMEMBERED_FOR: Duration = Duration::from_mins(1);

/// What this host knows of API keys. It spares a confirmed payment one of its round trips.
pub struct Keys {
    believed: future::Cache<[u8; 32], ApiKeyId>,
    revoked: sync::Cache<ApiKeyId, ()>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            believed: future::Cache::builder().max_capacity(KEYS_BELIEVED_MAX).time_to_live(KEY_BELIEVED_FOR).build(),
            revoked: sync::Cache::builder()
                .max_capacity(KEYS_BELIEVED_MAX)
                .time_to_live(REVOKED_REMEMBERED_FOR)
                .build(),
        }
    }
}

/// Why a key does not sign in.
#[derive(Debug)]
enum Denied {
    Unknown,
    Store(store::Error),
}

impl Keys {
    /// To be called once a revocation is committed: on this host it counts at once, also against look-ups under way.
    pub fn revoke(&self, key: ApiKeyId) {
        self.revoked.insert(key, ());
    }

    /// Whose key it is. At most one round trip for all requests that ask at the same time; none where it was found a
    /// moment ago. Keys that do not exist are not remembered.
    async fn merchant(&self, app: &App, presented: &PresentedApiKey) -> Result<MerchantId, Problem> {
        let look_up = async {
            let mut conn = app.pool.acquire().await.map_err(|error| Denied::Store(error.into()))?;
            let found = store::api_keys::find(&mut conn, presented.merchant, &presented.hash).await;
            found.map_err(Denied::Store)?.ok_or(Denied::Unknown)
        };
        match self.believed.try_get_with(presented.hash, look_up).await {
            Ok(key) if !self.revoked.contains_key(&key) => Ok(presented.merchant),
            Ok(_) => Err(unauthenticated()),
            Err(denied) => match &*denied {
                Denied::Unknown => Err(unauthenticated()),
                Denied::Store(error) if error.is_transient() => {
                    tracing::warn!(error = error as &dyn std::error::Error, "API keys cannot be looked up");
                    Err(Problem::unavailable("the database", crate::flow::RETRY_AFTER_UNAVAILABLE_S))
                }
                Denied::Store(error) => {
                    Err(Problem::internal(anyhow::anyhow!("API keys cannot be looked up: {error:?}")))
                }
            },
        }
    }
}

/// Lets merchants through, and tells the handlers who it is.
pub async fn merchants(State(http): State<Http>, mut request: Request, next: Next) -> Response {
    let presented = bearer(request.headers()).and_then(PresentedApiKey::parse);
    let merchant = match presented {
        Some(presented) => http.keys.merchant(&http.app, &presented).await,
        None => Err(unauthenticated()),
    };
    match merchant {
        Ok(merchant) => {
            tracing::Span::current().record("merchant.id", tracing::field::display(merchant));
            request.extensions_mut().insert(Merchant(merchant));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Lets operators through.
pub async fn operators(State(http): State<Http>, request: Request, next: Next) -> Response {
    let expected = http.app.config.operator_token.expose();
    match bearer(request.headers()) {
        Some(presented) if secrets_are_equal(presented, expected) => next.run(request).await,
        Some(_) | None => unauthenticated().into_response(),
    }
}

fn unauthenticated() -> Problem {
    Problem::new(Code::Unauthenticated)
}

/// What stands behind `Bearer`; none where the header is absent, there twice, or of another scheme.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_bearer_token_counts() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer sk_1"]), Some("sk_1".to_owned()));
        assert_eq!(of(&["bearer  sk_1 "]), Some("sk_1".to_owned()));
        assert_eq!(of(&["Basic c2s6"]), None);
        assert_eq!(of(&["sk_1"]), None);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["Bearer a", "Bearer b"]), None);
    }
}
