//! The `webhooks` of the contract: what a merchant's endpoint is sent, one entry for each type of event, each with an example.

mod examples;

use utoipa::{
    PartialSchema as _,
    openapi::{
        Content, Paths, Ref, RefOr, Required, Response,
        header::HeaderBuilder,
        path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem},
        request_body::{RequestBody, RequestBodyBuilder},
        schema::{Object, ObjectBuilder, Schema, Type},
    },
};

use super::events::EventSchema;
use crate::domain::event_types::{About, CATALOGUE, EventType};

/// What stands with each of them.
const HOW: &str = "Signed as Standard Webhooks says: check the signature over the bytes as they came, before reading them. \
                   Answer 2xx within 15 seconds and work on it afterwards; any other answer is a failure, and the event comes \
                   again. It may come more than once, and out of order: `webhook-id` tells repeats, `sequence` the order.";

/// One entry for each type.
pub fn webhooks() -> Paths {
    CATALOGUE.iter().fold(Paths::new(), |mut paths, known| {
        paths.paths.insert(known.name.to_owned(), PathItem::new(HttpMethod::Post, operation(known)));
        paths
    })
}

fn operation(known: &EventType) -> Operation {
    let parameters = [
        ("webhook-id", "The event's id, the same in every try: what repeats are told by."),
        ("webhook-timestamp", "When this try was sent, in seconds since 1970."),
        (
            "webhook-signature",
            "`v1,` and the signature in base64; several, with a space between, while a secret is replaced.",
        ),
    ];
    OperationBuilder::new()
        .operation_id(Some(format!("webhook_{}", known.name.replace('.', "_"))))
        .tag("webhooks")
        .summary(Some(known.says))
        .description(Some(HOW))
        .parameters(Some(parameters.map(|(name, about)| header(name, about))))
        .request_body(Some(body(known)))
        .response("2XX", Response::new("It is yours now: it is not sent again."))
        .response("410", Response::new("The endpoint is gone: it is disabled, and nothing is sent there any more."))
        .response("default", failed())
        .build()
}

fn failed() -> Response {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
    let retry_after = HeaderBuilder::new()
        .schema(Some(RefOr::T(seconds.into())))
        .description(Some("Seconds, or a date: it is not sent again before that, or a day has gone by."))
        .build();
    let mut response = Response::new("A failure: it is sent again later. A redirect is one too, and is not followed.");
    response.headers.insert("Retry-After".to_owned(), RefOr::T(retry_after));
    response
}

fn header(name: &str, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(about))
        .schema(Some(text()))
        .build()
}

fn body(known: &EventType) -> RequestBody {
    let mut content = Content::new(Some(RefOr::T(schema(known).into())));
    content.example = Some(examples::of(known));
    RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True)).build()
}

/// An event as [`EventSchema`] has it, of this type and about its kind of object.
fn schema(known: &EventType) -> Object {
    let object = Ref::from_schema_name(match known.about {
        About::Payment => "Payment",
        About::Refund => "Refund",
        About::Order => "Order",
        About::WebhookEndpoint => "WebhookEndpoint",
    });
    let data = ObjectBuilder::new().property("object", object).required("object").build();
    let kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([known.name])).build();
    let RefOr::T(Schema::Object(mut event)) = EventSchema::schema() else { unreachable!("an event is a struct") };
    event.properties.insert("type".to_owned(), RefOr::T(kind.into()));
    event.properties.insert("data".to_owned(), RefOr::T(data.into()));
    event
}

fn text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn entries() -> Vec<(String, Value)> {
        let document = serde_json::to_value(webhooks()).unwrap();
        document.as_object().unwrap().iter().map(|(name, item)| (name.clone(), item["post"].clone())).collect()
    }

    fn names(object: &Value) -> BTreeSet<&str> {
        object.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn every_type_of_event_is_there_with_its_example() {
        let entries = entries();
        assert_eq!(entries.len(), CATALOGUE.len());
        for (name, post) in &entries {
            let content = &post["requestBody"]["content"]["application/json"];
            let example = &content["example"];
            assert_eq!(example["type"], Value::from(name.as_str()));
            assert_eq!(names(example), names(&content["schema"]["properties"]), "{name}");
            let about = name.split('.').next().unwrap();
            assert_eq!(example["data"]["object"]["object"], about, "{name}");
        }
    }

    /// An example that is no example of its type misleads whoever reads only that.
    #[test]
    fn examples_are_in_the_state_that_their_type_names() {
        for (name, post) in entries() {
            let object = &post["requestBody"]["content"]["application/json"]["example"]["data"]["object"];
            let Some((about @ ("payment" | "order"), state)) = name.split_once('.') else { continue };
            let is_state = !["surplus_charge", "corrected"].contains(&state);
            assert!(!is_state || object["status"] == state, "{about}.{state}: {object}");
        }
    }

    #[test]
    fn an_example_stays_as_it_is() {
        let entries = entries();
        let (_, post) = entries.iter().find(|(name, _)| name == "refund.succeeded").unwrap();
        insta::assert_json_snapshot!(post["requestBody"]["content"]["application/json"]["example"], @r#"
        {
          "created_at": "2027-01-15T09:30:00.000000Z",
          "data": {
            "object": {
              "amount": 4000,
              "created_at": "2027-01-15T09:30:00.000000Z",
              "currency": "USD",
              "gateway_reference": "re_3Fw7",
              "id": "op_01mccaxde0e008000000000005",
              "last_error": null,
              "object": "refund",
              "payment": "pay_01mccaxde0e008000000000002",
              "reason": "damaged",
              "status": "succeeded"
            }
          },
          "id": "evt_01mccaxde0e008000000000001",
          "sequence": 2,
          "type": "refund.succeeded"
        }
        "#);
    }
}
