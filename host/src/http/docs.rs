//! `/openapi.json` and `/docs`: the contract, generated from the routes, readable without any other host.
//!
//! What is true of whole groups of routes (who may call, the idempotency key, problems) is added here once.

use std::fmt::Write as _;

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{Html, Response},
    routing::get,
};
use http::{HeaderValue, header};
use strum::VariantArray as _;
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Content, OpenApi, Ref, RefOr, Required, Response as Documented,
        header::HeaderBuilder,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        schema::{ObjectBuilder, Type},
        security::{Http as HttpSecurity, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{
    Http, event_docs,
    observe::REQUEST_ID,
    problem::{Code, ERRORS_PAGE, FaultView, PROBLEM_JSON, ProblemView},
    respond::IDEMPOTENCY_REPLAYED,
};

const MERCHANT_KEY: &str = "merchant_key";
const OPERATOR_TOKEN: &str = "operator_token";
const PROBLEM_SCHEMA: &str = "Problem";

/// What a page of ours may load: what this host serves.
const CONTENT_POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The document in `/openapi.json`: what the routes say of themselves, and what is true of all of them.
pub fn complete(mut api: OpenApi) -> OpenApi {
    "Interlock".clone_into(&mut api.info.title);
    env!("CARGO_PKG_VERSION").clone_into(&mut api.info.version);
    api.info.description = Some(
        "A payment switch that cannot charge twice. Amounts are whole numbers in the currency's minor unit; times are \
         RFC 3339 in UTC. Paths under `/admin` are served by the operators' listener, all others by the public one."
            .to_owned(),
    );
    api.info.contact = None;
    api.servers = None;
    api.webhooks = Some(event_docs::webhooks());
    let components = api.components.get_or_insert_default();
    let bearer = || SecurityScheme::Http(HttpSecurity::new(HttpAuthScheme::Bearer));
    components.add_security_scheme(MERCHANT_KEY, bearer());
    components.add_security_scheme(OPERATOR_TOKEN, bearer());
    components.schemas.insert(PROBLEM_SCHEMA.to_owned(), ProblemView::schema());
    components.schemas.insert(FaultView::name().into_owned(), FaultView::schema());
    for (path, item) in &mut api.paths.paths {
        let is_merchants = path.starts_with("/v1/");
        let scheme = if is_merchants { MERCHANT_KEY } else { OPERATOR_TOKEN };
        name_operations(path, item);
        for operation in operations(item) {
            // A gateway signs what it sends; it does not sign in.
            let signs_in = !path.starts_with("/webhooks/");
            let security = signs_in.then(|| SecurityRequirement::new(scheme, Vec::<String>::new()));
            operation.security = Some(security.into_iter().collect());
            operation.responses.responses.insert("default".to_owned(), RefOr::T(problem_response()));
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    response.headers.insert(title_case(REQUEST_ID), RefOr::T(text_header("Names this request.")));
                }
            }
        }
        if is_merchants && let Some(post) = &mut item.post {
            add_idempotency(post);
        }
    }
    api
}

/// The pages, for the public listener.
pub fn routes(api: OpenApi) -> Router<Http> {
    // Without this the page would ask a host of Swagger's whether the document is valid.
    let config = Config::default().validator_url("none").display_request_duration(true);
    let swagger: Router<Http> = SwaggerUi::new("/docs").url("/openapi.json", api).config(config).into();
    swagger.route(ERRORS_PAGE, get(errors)).layer(middleware::from_fn(with_policy))
}

/// What every error code means and what to do about it: where the `type` of a problem leads.
async fn errors() -> Html<String> {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Interlock: errors</title>\
         <style>body{font:16px/1.5 system-ui,sans-serif;max-width:45em;margin:2em auto;padding:0 1em}\
         code{background:#8882;padding:0 .2em}:target{background:#fd06}</style>\
         <h1>Errors</h1><p>Every error is a document of the type <code>application/problem+json</code> (RFC 9457). Match \
         on its <code>code</code>.</p>",
    );
    for code in Code::VARIANTS {
        let (status, title) = code.row();
        let name: &str = code.into();
        let advice = code.advice().split('`').enumerate().fold(String::new(), |mut text, (index, part)| {
            // Every second part stood between two backticks.
            let (open, close) = if index % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
            write!(text, "{open}{part}{close}").expect("a String takes everything");
            text
        });
        let status = status.as_u16();
        write!(page, "<h2 id=\"{name}\"><code>{status} {name}</code></h2><p>{title}. {advice}</p>")
            .expect("a String takes everything");
    }
    Html(page)
}

async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().filter_map(Option::as_mut)
}

/// Names that are there once in the whole document, as those who generate clients need: what is there before are the
/// names of functions, and every resource has a `list`.
fn name_operations(path: &str, item: &mut PathItem) {
    let words: Vec<&str> =
        path.split('/').map(|word| word.trim_matches(['{', '}'])).filter(|word| !word.is_empty()).collect();
    let methods =
        [("get", &mut item.get), ("post", &mut item.post), ("patch", &mut item.patch), ("delete", &mut item.delete)];
    for (method, operation) in methods {
        if let Some(operation) = operation {
            operation.operation_id = Some(format!("{method}_{}", words.join("_")));
        }
    }
}

fn add_idempotency(post: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(
            "1 to 255 visible ASCII characters. The same key with the same body gets the same answer, and is done once.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255))))
        .build();
    post.parameters.get_or_insert_default().push(RefOr::T(key));
    for (status, response) in &mut post.responses.responses {
        if let (false, RefOr::T(response)) = (status == "default", response) {
            let replayed = text_header("`true` where an earlier request with this key was answered with these bytes.");
            response.headers.insert(title_case(IDEMPOTENCY_REPLAYED), RefOr::T(replayed));
        }
    }
}

fn problem_response() -> Documented {
    let mut response = Documented::new("A problem; `code` says which, and /docs/errors what to do about it.");
    let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name(PROBLEM_SCHEMA))));
    response.content.insert(PROBLEM_JSON.to_owned(), RefOr::T(content));
    response
}

fn text_header(about: &str) -> utoipa::openapi::header::Header {
    HeaderBuilder::new()
        .schema(Some(RefOr::T(ObjectBuilder::new().schema_type(Type::String).build().into())))
        .description(Some(about))
        .build()
}

/// `request-id` as people write it: `Request-Id`.
fn title_case(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    words.collect::<Vec<_>>().join("-")
}

/// Fails where the documented type `T` and the reader of its body do not know the same fields.
#[cfg(test)]
pub(crate) fn assert_reads<T: utoipa::ToSchema>(read: impl Fn(&serde_json::Value) -> Option<Vec<crate::flow::Fault>>) {
    use std::collections::BTreeSet;

    const STRANGER: &str = "§";
    let schema = serde_json::to_value(T::schema()).expect("a schema is JSON");
    let documented: BTreeSet<String> =
        schema["properties"].as_object().expect("the type is an object").keys().cloned().collect();
    let faults = read(&serde_json::json!({ STRANGER: 1 })).expect("an unknown field is refused");
    let about = faults.iter().find(|fault| fault.pointer == format!("/{STRANGER}")).expect("it has its pointer");
    let (_, known) = about.detail.split_once("known are: ").expect("the known fields are told");
    let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
    assert_eq!(documented, known, "{}", T::name());
}

/// The faults under `prefix`, as if that were the whole body.
#[cfg(test)]
pub(crate) fn under(prefix: &str, faults: Vec<crate::flow::Fault>) -> Vec<crate::flow::Fault> {
    let inside = |fault: crate::flow::Fault| {
        let pointer = fault.pointer.strip_prefix(prefix)?.to_owned();
        Some(crate::flow::Fault::new(pointer, fault.detail))
    };
    faults.into_iter().filter_map(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> OpenApi {
        super::super::api()
    }

    /// The calls of the contract that exist by now. Whoever adds a route adds a line.
    #[test]
    fn the_routes_are_those_of_the_contract() {
        let document = document();
        let mut calls = Vec::new();
        for (path, item) in &document.paths.paths {
            let methods = [("DELETE", &item.delete), ("GET", &item.get), ("PATCH", &item.patch), ("POST", &item.post)];
            let present = methods.into_iter().filter(|(_, operation)| operation.is_some());
            calls.extend(present.map(|(method, _)| format!("{path} {method}")));
        }
        calls.sort();
        insta::assert_snapshot!(calls.join("\n"), @r"
        /admin/audit_log GET
        /admin/connectors GET
        /admin/connectors POST
        /admin/connectors/{name} GET
        /admin/connectors/{name}/health GET
        /admin/connectors/{name}/log GET
        /admin/connectors/{name}/rollback POST
        /admin/connectors/{name}/versions/{version}/activate POST
        /admin/connectors/{name}/versions/{version}/retire POST
        /admin/connectors/{name}/versions/{version}/shadow GET
        /admin/connectors/{name}/versions/{version}/shadow POST
        /admin/merchants GET
        /admin/merchants POST
        /admin/merchants/{id}/api_keys GET
        /admin/merchants/{id}/api_keys POST
        /admin/merchants/{id}/api_keys/{key_id} DELETE
        /admin/notices GET
        /admin/notices/{id}/dismiss POST
        /admin/operations GET
        /admin/payments/{id}/resolve POST
        /admin/quarantine GET
        /admin/quarantine/{id}/replay POST
        /admin/reviews GET
        /admin/reviews/{id} GET
        /admin/reviews/{id}/close POST
        /admin/routing/preview POST
        /admin/sinks GET
        /admin/sinks/{name} DELETE
        /v1/connectors GET
        /v1/events GET
        /v1/events/{id} GET
        /v1/events/{id}/redeliver POST
        /v1/gateway_accounts GET
        /v1/gateway_accounts POST
        /v1/gateway_accounts/{id} DELETE
        /v1/gateway_accounts/{id} GET
        /v1/gateway_accounts/{id} PATCH
        /v1/orders GET
        /v1/orders POST
        /v1/orders/{id} GET
        /v1/orders/{id}/cancel POST
        /v1/orders/{id}/payments GET
        /v1/payments GET
        /v1/payments POST
        /v1/payments/{id} GET
        /v1/payments/{id}/attempts GET
        /v1/payments/{id}/cancel POST
        /v1/payments/{id}/capture POST
        /v1/payments/{id}/confirm POST
        /v1/payments/{id}/events GET
        /v1/payments/{id}/refunds POST
        /v1/payments/{id}/sync POST
        /v1/refunds/{id} GET
        /v1/routing_rules GET
        /v1/routing_rules POST
        /v1/routing_rules/preview POST
        /v1/routing_rules/{id} DELETE
        /v1/routing_rules/{id} GET
        /v1/routing_rules/{id} PATCH
        /v1/tokens POST
        /v1/tokens/{id} DELETE
        /v1/webhook_endpoints GET
        /v1/webhook_endpoints POST
        /v1/webhook_endpoints/{id} DELETE
        /v1/webhook_endpoints/{id} GET
        /v1/webhook_endpoints/{id} PATCH
        /v1/webhook_endpoints/{id}/deliveries GET
        /v1/webhook_endpoints/{id}/redeliver POST
        /v1/webhook_endpoints/{id}/rotate_secret POST
        /v1/webhook_endpoints/{id}/test POST
        /webhooks/{id} POST
        ");
    }

    #[test]
    fn every_operation_tells_who_may_call_and_how_it_fails() {
        let mut document = document();
        for (path, item) in &mut document.paths.paths {
            let is_keyed = path.starts_with("/v1/");
            if let Some(post) = item.post.as_ref().filter(|_| is_keyed) {
                let parameters = serde_json::to_value(&post.parameters).unwrap().to_string();
                assert!(parameters.contains("Idempotency-Key"), "{path}");
            }
            for operation in operations(item) {
                let ways_in = usize::from(!path.starts_with("/webhooks/"));
                assert!(operation.security.as_ref().is_some_and(|security| security.len() == ways_in), "{path}");
                assert!(operation.responses.responses.contains_key("default"), "{path}");
                assert!(operation.summary.is_some(), "{path}");
            }
        }
    }

    /// A reference that leads nowhere shows as an error in every tool that reads the document.
    #[test]
    fn every_reference_leads_somewhere() {
        let document = serde_json::to_value(document()).unwrap();
        let text = document.to_string();
        let mut count = 0;
        for (at, _) in text.match_indices("\"$ref\":\"#") {
            let pointer = text[at + 9..].split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            count += 1;
        }
        assert!(count > 30, "{count}");
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[tokio::test]
    async fn every_code_is_explained() {
        let Html(page) = errors().await;
        for code in Code::VARIANTS {
            let name: &str = code.into();
            assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
        }
        assert!(!page.contains('`'));
    }
}
