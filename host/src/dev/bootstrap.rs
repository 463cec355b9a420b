//! Makes what one needs for a first payment, through the same HTTP API that everybody uses.

use anyhow::Context as _;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::kept::{Kept, World};
use crate::{
    client::{Body, CallError, Client},
    config::Hidden,
};

/// The connector that speaks to the simulator.
const CONNECTOR: &str = "mock";

/// Where the parts of this start listen.
pub struct Addresses<'a> {
    pub public: &'a str,
    pub operator: &'a str,
    pub simulator: &'a str,
}

/// Finds or makes a merchant, its API key and its account at the simulator, and tells the simulator where its
/// webhooks go.
pub async fn bootstrap(
    kept: &mut Kept,
    database_url: &str,
    operator_token: &str,
    at: &Addresses<'_>,
) -> anyhow::Result<World> {
    let world = match kept.world(database_url).cloned() {
        Some(world) if is_known(&world, at).await? => world,
        Some(_) | None => make_merchant(operator_token, at).await?,
    };
    let world = if world.gateway_account.is_empty() || world.base_url != at.simulator {
        make_account(kept, world, at).await?
    } else {
        world
    };
    kept.keep_world(database_url, world.clone())?;
    let simulator = Client::new(at.simulator, Hidden::new(kept.simulator.api_key.clone()), None)?;
    let url = format!("{}/webhooks/{}", reachable(at.public), world.gateway_account);
    let webhooks = json!({ "url": url, "secret": kept.simulator.webhook_secret });
    simulator
        .call(Method::POST, "/__webhooks", Body::Json(webhooks))
        .await
        .context("the simulator was not told where its webhooks go")?;
    Ok(world)
}

/// Whether the database still has what was made in it: somebody may have emptied it.
async fn is_known(world: &World, at: &Addresses<'_>) -> anyhow::Result<bool> {
    let path = format!("/v1/gateway_accounts/{}", world.gateway_account);
    match merchant(world, at)?.call(Method::GET, &path, Body::Nothing).await {
        Ok(_) => Ok(true),
        Err(CallError::Refused { status: StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND, .. }) => Ok(false),
        Err(error) => Err(error).context("the gateway account could not be looked up"),
    }
}

/// A merchant with a key and without an account.
async fn make_merchant(operator_token: &str, at: &Addresses<'_>) -> anyhow::Result<World> {
    let operator = Client::new(&reachable(at.operator), Hidden::new(operator_token.to_owned()), None)?;
    let made = operator
        .call(Method::POST, "/admin/merchants", Body::Json(json!({ "name": "dev" })))
        .await
        .context("no merchant could be made")?;
    let merchant = text(&made, "id")?;
    let made = operator
        .call(Method::POST, &format!("/admin/merchants/{merchant}/api_keys"), Body::Json(json!({})))
        .await
        .context("no API key could be made")?;
    let api_key = text(&made, "key")?;
    Ok(World { merchant, api_key, gateway_account: String::new(), base_url: String::new() })
}

async fn make_account(kept: &Kept, world: World, at: &Addresses<'_>) -> anyhow::Result<World> {
    let account = json!({
        "connector": CONNECTOR,
        "name": "simulator",
        "settings": {
            "base_url": at.simulator,
            "api_key": kept.simulator.api_key,
            "webhook_secret": kept.simulator.webhook_secret,
        },
    });
    // One account per address, however often this is tried.
    let key = format!("dev-account-{}", at.simulator);
    let made = merchant(&world, at)?
        .call_with(Method::POST, "/v1/gateway_accounts", Some(&key), Body::Json(account))
        .await
        .context("no gateway account could be made; is the connector `mock` in INTERLOCK_CONNECTORS_DIR?")?;
    let id = text(&made, "id")?;
    if !world.gateway_account.is_empty() && world.gateway_account != id {
        // Nobody answers at its address any more, and being older it would be tried first.
        merchant(&world, at)?
            .call(
                Method::PATCH,
                &format!("/v1/gateway_accounts/{}", world.gateway_account),
                Body::Json(json!({ "enabled": false })),
            )
            .await
            .context("the account at the simulator's earlier address could not be disabled")?;
    }
    Ok(World { gateway_account: id, base_url: at.simulator.to_owned(), ..world })
}

fn merchant(world: &World, at: &Addresses<'_>) -> anyhow::Result<Client> {
    Client::new(&reachable(at.public), Hidden::new(world.api_key.clone()), None)
}

/// An address that listens everywhere is no address to call: loopback is one of those that it listens at.
#[must_use]
pub fn reachable(url: &str) -> String {
    url.replacen("//0.0.0.0:", "//127.0.0.1:", 1).replacen("//[::]:", "//[::1]:", 1)
}

fn text(answer: &Value, name: &str) -> anyhow::Result<String> {
    let text = answer.get(name).and_then(Value::as_str).with_context(|| format!("the answer has no `{name}`"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn an_address_that_listens_everywhere_is_called_at_loopback() {
        assert_eq!(reachable("http://0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(reachable("http://[::]:8080"), "http://[::1]:8080");
        assert_eq!(reachable("http://10.0.0.0:80"), "http://10.0.0.0:80");
    }
}
