//! The bodies of gateway accounts, read into what the flow takes, and as the documentation shows them.

use serde_json::Value;
use zeroize::Zeroizing;

use crate::{
    flow::{
        Fault,
        manage_accounts::{Change, Entered, NewAccount},
    },
    http::json::{Fields, kinds, read},
};

/// As the schema has it.
const NAME_MAX_CHARACTERS: usize = 200;
const CONNECTOR_MAX_CHARACTERS: usize = 64;
const PRIORITY: std::ops::RangeInclusive<i64> = 0..=1_000;
const WEIGHT: std::ops::RangeInclusive<i64> = 0..=1_000;
const WEIGHT_DEFAULT: i32 = 1;
const SETTINGS_MAX: usize = 100;
/// A private key in PEM is the longest thing that is entered.
const SETTING_MAX_CHARACTERS: usize = 16_384;
const METHODS_MAX: usize = 100;

/// `POST /v1/gateway_accounts`
pub fn new_account(body: &Value) -> Result<NewAccount, Vec<Fault>> {
    read(body, |fields| {
        let connector = fields.required("connector", kinds::text(1..=CONNECTOR_MAX_CHARACTERS));
        let name = fields.required("name", kinds::text(1..=NAME_MAX_CHARACTERS));
        let settings = settings(fields);
        let priority = fields.optional("priority", kinds::whole(PRIORITY)).map_or(0, narrow);
        let weight = fields.optional("weight", kinds::whole(WEIGHT)).map_or(WEIGHT_DEFAULT, narrow);
        let enabled = fields.optional("enabled", kinds::flag).unwrap_or(true);
        let methods = methods(fields);
        let auto_refund_surplus = fields.optional("auto_refund_surplus", kinds::flag).unwrap_or(false);
        Some(NewAccount {
            connector: connector?,
            name: name?,
            settings,
            priority,
            weight,
            enabled,
            methods,
            auto_refund_surplus,
        })
    })
}

/// `PATCH /v1/gateway_accounts/{id}`
pub fn change(body: &Value) -> Result<Change, Vec<Fault>> {
    read(body, |fields| {
        if fields.has("connector") {
            fields.fault("connector", "cannot be changed; make another account");
        }
        fields.know(&["connector"]);
        Some(Change {
            name: fields.optional("name", kinds::text(1..=NAME_MAX_CHARACTERS)),
            settings: settings(fields),
            priority: fields.optional("priority", kinds::whole(PRIORITY)).map(narrow),
            weight: fields.optional("weight", kinds::whole(WEIGHT)).map(narrow),
            enabled: fields.optional("enabled", kinds::flag),
            methods: fields.nullable("methods", methods),
            auto_refund_surplus: fields.optional("auto_refund_surplus", kinds::flag),
        })
    })
}

/// Which settings there are, and which of them are secret, is the connector's to say.
fn settings(fields: &mut Fields<'_>) -> Entered {
    let entered = fields.entries("settings", SETTINGS_MAX, |_, value| match value {
        Value::Null => Ok(None),
        value => kinds::text(1..=SETTING_MAX_CHARACTERS)(value).map(|text| Some(Zeroizing::new(text))),
    });
    entered.unwrap_or_default()
}

fn methods(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    fields.list("methods", METHODS_MAX, kinds::text(1..=CONNECTOR_MAX_CHARACTERS))
}

fn narrow(whole: i64) -> i32 {
    i32::try_from(whole).expect("the field's range lies within the type's")
}

/// The bodies as the documentation shows them.
pub mod schema {
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use std::collections::BTreeMap;

    use utoipa::ToSchema;

    /// A new gateway account.
    #[derive(ToSchema)]
    pub struct CreateGatewayAccount {
        /// The connector's name, as `GET /v1/connectors` lists it.
        #[schema(example = "mock")]
        connector: String,
        #[schema(min_length = 1, max_length = 200)]
        name: String,
        /// What the connector's descriptor asks for; its secrets are never shown again.
        settings: Option<BTreeMap<String, String>>,
        /// Lower is tried first.
        #[schema(minimum = 0, maximum = 1000, default = 0)]
        priority: Option<i64>,
        /// Of accounts with the same priority each is tried first as often as its weight says, and one of weight 0 where no
        /// other is left. Where all of them have the default, the one that was made first is tried first.
        #[schema(minimum = 0, maximum = 1000, default = 1)]
        weight: Option<i64>,
        #[schema(default = true)]
        enabled: Option<bool>,
        /// Narrows the methods that the connector declares.
        methods: Option<Vec<String>>,
        /// Give money that was taken twice back without asking.
        #[schema(default = false)]
        auto_refund_surplus: Option<bool>,
    }

    /// What to change; what is absent stays.
    #[derive(ToSchema)]
    pub struct ChangeGatewayAccount {
        #[schema(min_length = 1, max_length = 200)]
        name: Option<String>,
        /// Merged into what is there; null takes one back. A new secret replaces the old one, which still proves
        /// webhooks for 24 hours.
        settings: Option<BTreeMap<String, Option<String>>>,
        #[schema(minimum = 0, maximum = 1000)]
        priority: Option<i64>,
        #[schema(minimum = 0, maximum = 1000)]
        weight: Option<i64>,
        enabled: Option<bool>,
        /// Null: all that the connector declares.
        methods: Option<Vec<String>>,
        auto_refund_surplus: Option<bool>,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::docs;

    #[test]
    fn the_documentation_names_the_fields_that_are_read() {
        docs::assert_reads::<schema::CreateGatewayAccount>(|value| new_account(value).err());
        let without_connector = |value: &Value| {
            let mut faults = change(value).err()?;
            for fault in &mut faults {
                // Known in order to be refused with a reason.
                fault.detail = fault.detail.replace("connector, ", "");
            }
            Some(faults)
        };
        docs::assert_reads::<schema::ChangeGatewayAccount>(without_connector);
    }

    #[test]
    fn faults_have_their_pointers() {
        let body =
            json!({"connector": "mock", "name": "", "settings": {"a/b": 1}, "priority": 1001, "methods": ["card", 1]});
        let told: Vec<_> = new_account(&body).err().unwrap().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(told, ["/name", "/settings/a~1b", "/priority", "/methods/1"]);
    }

    #[test]
    fn a_change_tells_null_from_absence() {
        let of = |body: &Value| change(body).ok().unwrap();
        assert_eq!(of(&json!({})).methods, None);
        assert_eq!(of(&json!({"methods": null})).methods, Some(None));
        assert_eq!(of(&json!({"methods": ["card"]})).methods, Some(Some(vec!["card".to_owned()])));
        let settings = of(&json!({"settings": {"x": null}})).settings;
        assert!(matches!(settings.as_slice(), [(name, None)] if name == "x"));
        assert_eq!(change(&json!({"connector": "stripe"})).err().unwrap()[0].pointer, "/connector");
    }
}
