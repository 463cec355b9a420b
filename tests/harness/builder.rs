//! What a test may want of its world before it begins.

use serde_json::{Map, Value};

use super::{Gateway, World, gateways::MOCK};

/// A world to be. What nobody asks for is as in production, but for what a test on loopback cannot do without.
#[expect(clippy::struct_excessive_bools, reason = "each is a wish by itself")]
pub struct Builder {
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) simulator_arguments: Vec<String>,
    pub(crate) account_settings: Map<String, Value>,
    pub(crate) gateway: &'static Gateway,
    pub(crate) others: Vec<&'static Gateway>,
    pub(crate) hosts: usize,
    pub(crate) own_postgres: bool,
    pub(crate) without_account: bool,
    pub(crate) without_connectors: bool,
    pub(crate) gateway_misbehaves: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            settings: Vec::new(),
            simulator_arguments: Vec::new(),
            account_settings: Map::new(),
            gateway: &MOCK,
            others: Vec::new(),
            hosts: 1,
            own_postgres: false,
            without_account: false,
            without_connectors: false,
            gateway_misbehaves: false,
        }
    }
}

impl Builder {
    /// The merchant's account is at this gateway; at the mock where nobody says.
    #[must_use]
    pub fn at(mut self, gateway: &'static Gateway) -> Self {
        self.gateway = gateway;
        self
    }

    /// Hosts have this gateway's connector too; an account there is for the test to make.
    #[must_use]
    pub fn and_at(mut self, gateway: &'static Gateway) -> Self {
        self.others.push(gateway);
        self
    }

    /// A setting of all hosts, `INTERLOCK_FAULT` included.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An argument of the simulator, such as `--idempotency=off`.
    #[must_use]
    pub fn simulator_argument(mut self, argument: &str) -> Self {
        self.simulator_arguments.push(argument.to_owned());
        self
    }

    /// A setting of the merchant's gateway account, such as `resend`.
    #[must_use]
    pub fn account_setting(mut self, name: &str, value: &str) -> Self {
        self.account_settings.insert(name.to_owned(), Value::from(value));
        self
    }

    /// So many hosts on one database; one where nobody says.
    #[must_use]
    pub fn hosts(mut self, count: usize) -> Self {
        self.hosts = count;
        self
    }

    /// A cluster that the test may stop and start.
    #[must_use]
    pub fn own_postgres(mut self) -> Self {
        self.own_postgres = true;
        self
    }

    /// A merchant without a gateway account.
    #[must_use]
    pub fn without_account(mut self) -> Self {
        self.without_account = true;
        self
    }

    /// Hosts that find no components at their start, and hence a merchant without a gateway account.
    #[must_use]
    pub fn without_connectors(mut self) -> Self {
        self.without_connectors = true;
        self.without_account = true;
        self
    }

    /// The test makes the gateway charge twice or change its mind: its books are not compared with ours at the end.
    #[must_use]
    pub fn gateway_misbehaves(mut self) -> Self {
        self.gateway_misbehaves = true;
        self
    }

    /// The test pays through a gateway of its own, whose books nobody compares with ours.
    #[must_use]
    pub fn with_another_gateway(self) -> Self {
        self.gateway_misbehaves()
    }

    /// Starts it.
    pub async fn start(self) -> World {
        World::build(self).await
    }
}
