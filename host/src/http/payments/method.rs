//! How the customer pays, and who the customer is, read from a body.

use std::net::IpAddr;

use serde_json::Value;

use crate::{
    connector::types::{Browser, Customer},
    domain::{country::Country, id::TokenId},
    flow::{MethodInput, UpiInput},
    http::json::{Fields, kinds},
    vault::{CardEntry, Secret},
};

/// Year and month (1 to 12) in which a card is judged.
pub type Month = (i32, u32);

/// The fields of a payment method, each of which goes with one type.
const METHOD_FIELDS: &[&str] = &["type", "token", "card", "upi", "wallet", "gateway_token"];

/// NPCI bounds a virtual payment address to this.
const VPA_MAX_CHARACTERS: usize = 255;
const PROVIDER_MAX_CHARACTERS: usize = 50;
/// Wallets' tokens are encrypted blobs of a few thousand characters.
const WALLET_TOKEN_MAX_CHARACTERS: usize = 16_384;
const GATEWAY_TOKEN_MAX_CHARACTERS: usize = 1_024;
/// Beyond what the card itself bounds: a number that is none at all.
const CARD_NUMBER_FIELD: std::ops::RangeInclusive<i64> = 0..=99_999;

/// `{"type": "card", "token": …}`, `{"type": "card", "card": {…}}`, `{"type": "upi", …}` and so on.
pub fn method(fields: &mut Fields<'_>, now: Month) -> Option<MethodInput> {
    fields.know(METHOD_FIELDS);
    let kind: String = fields.required("type", kinds::word(&["card", "upi", "wallet", "gateway_token"]))?;
    let own: &[&str] = match kind.as_str() {
        "card" => &["type", "token", "card"],
        "upi" => &["type", "upi"],
        "wallet" => &["type", "wallet"],
        _ => &["type", "gateway_token"],
    };
    for name in METHOD_FIELDS.iter().filter(|name| !own.contains(name) && fields.has(name)) {
        fields.fault(name, format!("does not go with the type `{kind}`"));
    }
    match kind.as_str() {
        "card" => card_or_token(fields, now),
        "upi" => fields.required_nested("upi", upi).map(MethodInput::Upi),
        "wallet" => fields.required_nested("wallet", wallet),
        _ => {
            let token = fields.required("gateway_token", kinds::text(1..=GATEWAY_TOKEN_MAX_CHARACTERS))?;
            Some(MethodInput::GatewayToken(Secret::from(token)))
        }
    }
}

fn card_or_token(fields: &mut Fields<'_>, now: Month) -> Option<MethodInput> {
    match (fields.has("token"), fields.has("card")) {
        (true, true) => {
            fields.fault("token", "cannot be given together with `card`");
            None
        }
        (true, false) => fields.optional("token", kinds::id::<TokenId>).map(MethodInput::Token),
        (false, true) => fields.nested("card", |fields| card(fields, now)).map(MethodInput::Card),
        (false, false) => {
            fields.fault("card", "is required, or `token` instead of it");
            None
        }
    }
}

/// `{number, expiry_month, expiry_year, cvc?, holder?}`
pub fn card(fields: &mut Fields<'_>, now: Month) -> Option<CardEntry> {
    let number = fields.required("number", kinds::string);
    let month = fields.required("expiry_month", kinds::whole(CARD_NUMBER_FIELD));
    let year = fields.required("expiry_year", kinds::whole(CARD_NUMBER_FIELD));
    let cvc = fields.optional("cvc", kinds::string);
    let holder = fields.optional("holder", kinds::string);
    // What could not be read is told already; the rest is judged all the same, so that all faults are told at once.
    let unread = [("number", number.is_none()), ("expiry_month", month.is_none()), ("expiry_year", year.is_none())];
    let entry = CardEntry::parse(
        number.unwrap_or_default(),
        month.unwrap_or_default(),
        year.unwrap_or_default(),
        cvc,
        holder,
        now,
    );
    match entry {
        Ok(entry) => Some(entry),
        Err(faults) => {
            for fault in faults.into_iter().filter(|fault| !unread.contains(&(fault.field, true))) {
                fields.fault(fault.field, fault.why);
            }
            None
        }
    }
}

fn upi(fields: &mut Fields<'_>) -> Option<UpiInput> {
    let flow: Option<String> = fields.required("flow", kinds::word(&["collect", "intent", "qr"]));
    let vpa = fields.optional("vpa", vpa);
    match flow?.as_str() {
        "collect" => {
            if !fields.has("vpa") {
                fields.fault("vpa", "is required where the flow is `collect`");
            }
            vpa.map(|vpa| UpiInput::Collect { vpa })
        }
        _ if fields.has("vpa") => {
            fields.fault("vpa", "goes with the flow `collect` alone");
            None
        }
        "intent" => Some(UpiInput::Intent),
        _ => Some(UpiInput::Qr),
    }
}

/// `name@bank`: letters, digits, dots, dashes and underscores on both sides.
fn vpa(value: &Value) -> Result<String, String> {
    let text = kinds::text(3..=VPA_MAX_CHARACTERS)(value)?;
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    match text.split_once('@') {
        Some((name, bank)) if is_part(name) && is_part(bank) => Ok(text),
        Some(_) | None => Err("must be a virtual payment address as in `name@bank`".to_owned()),
    }
}

fn wallet(fields: &mut Fields<'_>) -> Option<MethodInput> {
    let provider = fields.required("provider", provider);
    let token = fields.optional("token", kinds::text(1..=WALLET_TOKEN_MAX_CHARACTERS)).map(Secret::from);
    Some(MethodInput::Wallet { provider: provider?, token })
}

fn provider(value: &Value) -> Result<String, String> {
    let text = kinds::text(1..=PROVIDER_MAX_CHARACTERS)(value)?;
    if text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        return Ok(text);
    }
    Err("must consist of lower-case letters, digits and underscores, as in `apple_pay`".to_owned())
}

/// Who pays: all of it is optional, and handed on to the gateway, but for the country, which routing alone asks for.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every reader of an object")]
pub fn customer(fields: &mut Fields<'_>) -> Option<(Customer, Option<Country>)> {
    let country = fields.optional("country", kinds::country);
    let customer = Customer {
        reference: fields.optional("reference", kinds::text(1..=255)),
        name: fields.optional("name", kinds::text(1..=200)),
        email: fields.optional("email", email),
        phone: fields.optional("phone", kinds::text(1..=32)),
        ip: fields.optional("ip", |value| {
            let ip: IpAddr = kinds::string(value)?.parse().map_err(|_| "must be an IPv4 or IPv6 address".to_owned())?;
            Ok(ip.to_string())
        }),
        user_agent: fields.optional("user_agent", kinds::text(1..=1_000)),
        browser: fields.nested("browser", browser),
    };
    Some((customer, country))
}

/// Enough to catch a field that went into the wrong place; whether mail arrives only mail can tell.
fn email(value: &Value) -> Result<String, String> {
    let text = kinds::text(3..=320)(value)?;
    let is_plausible = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if is_plausible && !text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Ok(text);
    }
    Err("must be an e-mail address".to_owned())
}

/// What 3-D Secure asks of a browser.
fn browser(fields: &mut Fields<'_>) -> Option<Browser> {
    let accept = fields.required("accept", kinds::text(1..=2_048));
    let language = fields.required("language", kinds::text(1..=35));
    let color_depth = fields.required("color_depth", kinds::whole(1..=48));
    let screen_height = fields.required("screen_height", kinds::whole(0..=99_999));
    let screen_width = fields.required("screen_width", kinds::whole(0..=99_999));
    let timezone = fields.required("timezone_offset_minutes", kinds::whole(-1_440..=1_440));
    let java = fields.optional("java", kinds::flag).unwrap_or(false);
    let java_script = fields.optional("java_script", kinds::flag).unwrap_or(false);
    Some(Browser {
        accept: accept?,
        language: language?,
        color_depth: narrow(color_depth?),
        screen_height: narrow(screen_height?),
        screen_width: narrow(screen_width?),
        timezone_offset_minutes: narrow(timezone?),
        java,
        java_script,
    })
}

fn narrow<T: TryFrom<i64>>(whole: i64) -> T {
    T::try_from(whole).ok().expect("the field's range lies within the type's")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::json::read;

    const NOW: Month = (2030, 6);

    fn faults(body: &Value) -> Vec<String> {
        let told = read(body, |fields| method(fields, NOW)).err().unwrap_or_default();
        told.into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect()
    }

    #[test]
    fn the_methods_of_the_contract_are_read() {
        let card = json!({"number": "4242 4242 4242 4242", "expiry_month": 12, "expiry_year": 2031, "cvc": "123"});
        let token = TokenId::from_uuid(uuid::Uuid::nil()).to_string();
        for accepted in [
            json!({"type": "card", "card": card}),
            json!({"type": "card", "token": token}),
            json!({"type": "upi", "upi": {"flow": "collect", "vpa": "a.b-1@bank"}}),
            json!({"type": "upi", "upi": {"flow": "intent"}}),
            json!({"type": "upi", "upi": {"flow": "qr"}}),
            json!({"type": "wallet", "wallet": {"provider": "apple_pay", "token": "x"}}),
            json!({"type": "wallet", "wallet": {"provider": "paypal"}}),
            json!({"type": "gateway_token", "gateway_token": "pm_1"}),
        ] {
            assert!(faults(&accepted).is_empty(), "{accepted}: {:?}", faults(&accepted));
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let token = TokenId::from_uuid(uuid::Uuid::nil()).to_string();
        assert_eq!(faults(&json!({})), ["/type: is required"]);
        assert_eq!(faults(&json!({"type": "card"})), ["/card: is required, or `token` instead of it"]);
        assert_eq!(
            faults(&json!({"type": "card", "card": {}, "token": token})),
            ["/token: cannot be given together with `card`"]
        );
        assert_eq!(
            faults(&json!({"type": "upi", "upi": {"flow": "qr"}, "card": {}})),
            ["/card: does not go with the type `upi`"]
        );
        assert_eq!(
            faults(&json!({"type": "upi", "upi": {"flow": "collect"}})),
            ["/upi/vpa: is required where the flow is `collect`"]
        );
        assert_eq!(
            faults(&json!({"type": "upi", "upi": {"flow": "intent", "vpa": "a@b"}})),
            ["/upi/vpa: goes with the flow `collect` alone"]
        );
        assert_eq!(
            faults(&json!({"type": "crad", "cadr": {}})),
            [
                "/type: must be one of: card, upi, wallet, gateway_token; did you mean `card`?",
                "/cadr: is not known here; did you mean `card`?"
            ]
        );
    }

    /// No fault quotes what was sent: it may be a number that strayed.
    #[test]
    fn a_cards_faults_have_their_pointers_and_no_digits_of_it() {
        let body = json!({"type": "card", "card": {
            "number": "4242424242424241", "expiry_month": 13, "expiry_year": 2029, "cvc": "12", "holdr": "x"}});
        let told = faults(&body);
        let pointers: Vec<_> = told.iter().filter_map(|fault| fault.split(':').next()).collect();
        assert!(pointers.contains(&"/card/number") && pointers.contains(&"/card/cvc"), "{told:?}");
        assert!(pointers.contains(&"/card/expiry_month") && pointers.contains(&"/card/holdr"), "{told:?}");
        assert!(!told.concat().contains("4242"), "{told:?}");
        let incomplete = faults(&json!({"type": "card", "card": {"number": "4242424242424241"}}));
        assert_eq!(incomplete.len(), 3, "{incomplete:?}");
        let as_number = json!({"type": "card", "card": {"number": 4_242_424_242_424_242_u64, "expiry_month": 1, "expiry_year": 2031}});
        assert_eq!(faults(&as_number), ["/card/number: must be a string, not a number"]);
    }

    #[test]
    fn customers_are_checked() {
        let told = |body: &Value| read(body, customer).err().unwrap_or_default().len();
        assert_eq!(told(&json!({"email": "a@b", "ip": "::1", "reference": "r"})), 0);
        assert_eq!(told(&json!({"email": "nobody", "ip": "300.1.1.1", "nmae": "x"})), 3);
        let browser = json!({"accept": "*/*", "language": "de", "color_depth": 24, "screen_height": 900, "screen_width": 1440,
            "timezone_offset_minutes": -120});
        assert_eq!(told(&json!({"browser": browser})), 0);
        assert_eq!(told(&json!({"browser": {"color_depth": 300}})), 6);
    }
}
