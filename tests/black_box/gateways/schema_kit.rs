//! Bodies against a gateway's own OpenAPI file: what a connector sends, and what a face of the simulator answers.
//!
//! The files lie beside the project, in `../shared/openapi/`, and are not part of it. Where they are not, a test that
//! wants one says so and is skipped.

use std::{fs, path::Path};

use boon::{Compiler, Draft, Schemas};
use serde_json::{Value, json};

/// Where the files are, seen from the project.
const FOLDER: &str = "../shared/openapi";

/// What stands for a hole where a body is validated: something that a host could have filled in.
const EXAMPLES: [(&str, &str); 8] = [
    ("CardNumber", "4111111111111111"),
    ("CardCvc", "737"),
    ("CardHolder", "Jane Roe"),
    ("CardExpiryMonth", "03"),
    ("CardExpiryYear", "2030"),
    ("CardExpiryYearShort", "30"),
    ("WalletToken", "a-token-of-a-wallet"),
    ("GatewayToken", "M5N7TQ4TG5PFWR50"),
];

/// What the file is called where its parts refer to each other.
const ITSELF: &str = "file:///api.json";
const JSON_SCHEMA: &str = "/content/application~1json/schema";

/// One OpenAPI file.
pub struct Api {
    document: Value,
}

impl Api {
    /// Reads the file of that name; none where it is not there.
    pub fn read(name: &str) -> Option<Self> {
        let path = project().join(FOLDER).join(name);
        let Ok(text) = fs::read_to_string(&path) else {
            skipped(&path);
            return None;
        };
        Some(Self { document: serde_json::from_str(&text).expect("the file is JSON") })
    }

    /// What is wrong with a request's body; nothing where it is as the file wants it.
    pub fn of_request(&self, method: &str, url: &str, body: &Value) -> Option<String> {
        let Some(operation) = self.operation(method, url) else { return Some(format!("there is no {method} {url}")) };
        let schema = format!("{operation}/requestBody{JSON_SCHEMA}");
        match self.document.pointer(&schema) {
            Some(_) => self.fault(&schema, body),
            None => Some(format!("{method} {url} takes no JSON")),
        }
    }

    /// What is wrong with an answer's body. A status that the file does not list is wrong too, unless the file has a
    /// schema for all others.
    pub fn of_answer(&self, method: &str, url: &str, status: u16, body: &Value) -> Option<String> {
        let Some(operation) = self.operation(method, url) else { return Some(format!("there is no {method} {url}")) };
        let listed = [status.to_string().as_str(), "default"]
            .map(|status| format!("{operation}/responses/{status}"))
            .into_iter()
            .find(|pointer| self.document.pointer(pointer).is_some());
        let Some(response) = listed else { return Some(format!("{method} {url} never answers with {status}")) };
        let schema = format!("{}{JSON_SCHEMA}", self.target(response));
        self.document.pointer(&schema).and_then(|_| self.fault(&schema, body))
    }

    /// Pointer to the operation that the URL means. What stands before the file's paths (a version, a face of the
    /// simulator) is the server's; of several paths the longest is meant, and of those the one with the fewest variables.
    fn operation(&self, method: &str, url: &str) -> Option<String> {
        let path = path_of(url);
        path.match_indices('/').find_map(|(at, _)| self.operation_at(method, &path[at..]))
    }

    fn operation_at(&self, method: &str, path: &str) -> Option<String> {
        let fits = |template: &str| {
            let same = template.split('/').zip(path.split('/')).all(|(want, got)| want == got || want.starts_with('{'));
            same && template.split('/').count() == path.split('/').count()
        };
        let paths = self.document["paths"].as_object()?.iter().filter(|(template, _)| fits(template));
        let (template, methods) = paths.min_by_key(|(template, _)| template.matches('{').count())?;
        let method = method.to_lowercase();
        methods.get(&method).map(|_| format!("/paths/{}/{method}", template.replace('~', "~0").replace('/', "~1")))
    }

    /// The pointer itself, or what it refers to.
    fn target(&self, pointer: String) -> String {
        let reference = self.document.pointer(&pointer).and_then(|value| value["$ref"].as_str());
        reference.map_or(pointer, |reference| reference.trim_start_matches('#').to_owned())
    }

    fn fault(&self, schema: &str, body: &Value) -> Option<String> {
        let mut compiler = Compiler::new();
        // OpenAPI 3.0 has the words of an older draft, 3.1 those of the newest.
        let is_old = self.document["openapi"].as_str().is_some_and(|version| version.starts_with("3.0"));
        compiler.set_default_draft(if is_old { Draft::V4 } else { Draft::V2020_12 });
        compiler.add_resource(ITSELF, self.document.clone()).expect("the file is named once");
        let mut schemas = Schemas::new();
        let compiled = compiler.compile(&format!("{ITSELF}#{}", in_fragment(schema)), &mut schemas);
        let compiled = compiled.unwrap_or_else(|error| panic!("{schema}: {error:#}"));
        schemas.validate(body, compiled).err().map(|error| format!("{error:#}"))
    }
}

/// A pointer as it stands in a URL's fragment: of all its characters only braces have to be written otherwise.
fn in_fragment(pointer: &str) -> String {
    pointer.replace('{', "%7B").replace('}', "%7D")
}

/// A request of a cassette, its holes filled with examples.
pub struct Sent {
    pub cassette: String,
    pub method: String,
    pub url: String,
    /// None where there is no JSON in it.
    pub body: Option<Value>,
    /// What the cassette has the gateway answer: status and body.
    pub reply: (u16, Value),
    /// Whether the connector could make sense of it all.
    pub made_sense: bool,
}

/// Every request of a connector's cassettes.
pub fn sent_by(connector: &str) -> Vec<Sent> {
    let folder = project().join(format!("connectors/{connector}/cassettes"));
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let sent: Vec<_> = paths.iter().flat_map(|path| of_cassette(path)).collect();
    assert!(!sent.is_empty(), "{} holds no requests", folder.display());
    sent
}

fn of_cassette(path: &Path) -> Vec<Sent> {
    let cassette: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let exchanges = cassette["exchanges"].as_array().cloned().unwrap_or_default();
    let made_sense = cassette["outcome"].get("Ok").is_some();
    let sent = |exchange: &Value| {
        let (request, reply) = (&exchange["request"], &exchange["reply"]);
        let text = request["body"].get("Json").map(filled);
        Sent {
            cassette: path.file_stem().unwrap().to_string_lossy().into_owned(),
            method: request["method"].as_str().unwrap().to_owned(),
            url: request["url"].as_str().unwrap().to_owned(),
            body: text.map(|text| serde_json::from_str(&text).expect("a body with its holes filled is JSON")),
            reply: (u16::try_from(reply["status"].as_u64().unwrap()).unwrap(), reply["body"].clone()),
            made_sense,
        }
    };
    exchanges.iter().map(sent).collect()
}

/// The template's text, with an example in each hole.
fn filled(template: &Value) -> String {
    let piece = |segment: &Value| match segment {
        Value::String(hole) => example(hole),
        segment => match segment.get("Text") {
            Some(text) => text.as_str().unwrap().to_owned(),
            None => format!("a-{}", segment.as_object().unwrap().keys().next().unwrap()),
        },
    };
    template.as_array().unwrap().iter().map(piece).collect()
}

fn example(hole: &str) -> String {
    let found = EXAMPLES.iter().find(|(name, _)| *name == hole);
    found.unwrap_or_else(|| panic!("an example is missing for {hole}")).1.to_owned()
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' folder lies in the project")
}

/// Without origin and query.
fn path_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(url, |at| &url[at + 3..]);
    let path = after_scheme.find('/').map_or("", |at| &after_scheme[at..]);
    path.split('?').next().unwrap_or_default()
}

#[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
fn skipped(path: &Path) {
    eprintln!("skipped: {} is not there", path.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Api {
        let document = json!({
            "openapi": "3.1.0",
            "paths": {
                "/things/{id}": { "post": {
                    "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } } },
                    "responses": { "200": { "content": { "application/json": { "schema": { "type": "string" } } } } },
                } },
                "/things/new": { "post": { "responses": { "default": { "$ref": "#/components/responses/Any" } } } },
            },
            "components": {
                "schemas": { "Thing": { "type": "object", "required": ["name"], "additionalProperties": false,
                    "properties": { "name": { "$ref": "#/components/schemas/Name" } } }, "Name": { "type": "string" } },
                "responses": { "Any": { "content": { "application/json": { "schema": { "type": "integer" } } } } },
            },
        });
        Api { document }
    }

    /// The kit itself can fail: a missing member, one too many, another type, another path.
    #[test]
    fn a_body_that_the_file_does_not_allow_is_found() {
        let asked = |url: &str, body: Value| api().of_request("POST", url, &body);
        assert_eq!(asked("https://x/face/v1/things/7?a=b", json!({ "name": "n" })), None);
        for body in [json!({}), json!({ "name": 1 }), json!({ "name": "n", "more": 1 })] {
            assert!(asked("https://x/v1/things/7", body.clone()).is_some(), "{body}");
        }
        assert_eq!(asked("https://x/v1/others", json!({})).unwrap(), "there is no POST https://x/v1/others");
    }

    #[test]
    fn an_answer_is_looked_up_by_its_status() {
        let answered = |url: &str, status, body: Value| api().of_answer("POST", url, status, &body);
        assert_eq!(answered("https://x/v1/things/7", 200, json!("text")), None);
        assert!(answered("https://x/v1/things/7", 200, json!(1)).is_some());
        assert!(answered("https://x/v1/things/7", 404, json!("text")).is_some());
        assert_eq!(answered("https://x/v1/things/new", 503, json!(1)), None);
        assert!(answered("https://x/v1/things/new", 503, json!("text")).is_some());
    }
}
