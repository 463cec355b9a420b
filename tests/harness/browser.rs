//! A customer's browser, as far as the pages of gateways need one: it follows redirects, shows forms and presses their
//! buttons. There is no script in it; pages that a gateway's own script would submit are submitted by a button here too.

use serde_json::{Map, Value};
use url::Url;

use super::{client, gateways::SHOP};

/// How many pages lie between a shop and its gateway at most.
const HOPS_MAX: usize = 10;

/// A browser without cookies.
pub struct Browser {
    http: reqwest::Client,
}

/// What a browser shows.
struct Page {
    url: Url,
    html: String,
}

/// A form of a page.
#[derive(Debug, PartialEq, Eq)]
struct Form {
    action: String,
    method: String,
    fields: Vec<(String, String)>,
    button: String,
}

/// Where a request led to.
enum Landing {
    Page(Page),
    /// Back at the shop, with this query.
    Shop(Vec<(String, String)>),
}

impl Default for Browser {
    fn default() -> Self {
        Self { http: client::connections() }
    }
}

impl Browser {
    /// The customer goes where the payment's next action leads to, presses the button of this name on each page, and comes
    /// back to the shop; what the browser brings along, as `parameters` of a confirm. Panics where there is no button.
    pub async fn act(&self, payment: &Value, button: &str) -> Value {
        self.try_act(payment, button).await.unwrap_or_else(|complaint| panic!("{complaint}"))
    }

    /// The same for a customer who may come too late.
    ///
    /// # Errors
    /// What was in the way.
    pub async fn try_act(&self, payment: &Value, button: &str) -> Result<Value, String> {
        let action = &payment["next_action"];
        let url = action["url"].as_str().ok_or_else(|| format!("there is no page in {payment}"))?;
        let fields = action["fields"].as_object().cloned().unwrap_or_default();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        let method = action["method"].as_str().unwrap_or("GET").to_owned();
        let first = Url::parse(url).map_err(|error| format!("{url} is no address: {error}"))?;
        let mut landing = self.go(first, &method, &fields).await?;
        let mut pressed = false;
        for _ in 0..HOPS_MAX {
            let page = match landing {
                Landing::Shop(query) => {
                    let query = query.into_iter().map(|(name, value)| (name, Value::String(value)));
                    return Ok(Value::Object(query.collect::<Map<_, _>>()));
                }
                Landing::Page(page) => page,
            };
            let forms = forms(&page.html);
            let form = forms.iter().find(|form| form.button.eq_ignore_ascii_case(button));
            let form = form.or_else(|| forms.first().filter(|_| forms.len() == 1));
            let Some(form) = form else {
                // Some gateways know no way back, and tell their customers to close the page.
                let is_over = pressed && forms.is_empty();
                let complaint = || format!("no button {button} at {}: {}", page.url, page.html);
                return is_over.then(|| Value::Object(Map::new())).ok_or_else(complaint);
            };
            pressed = true;
            let target = page.url.join(&form.action).map_err(|error| format!("{}: {error}", form.action))?;
            landing = self.go(target, &form.method, &form.fields).await?;
        }
        Err(format!("the customer is sent round in circles at {url}"))
    }

    /// Sends a request and follows where it leads.
    async fn go(&self, mut url: Url, method: &str, fields: &[(String, String)]) -> Result<Landing, String> {
        // Some gateways have the browser post to the shop.
        if let Some(query) = at_shop(&url) {
            return Ok(Landing::Shop(query.into_iter().chain(fields.iter().cloned()).collect()));
        }
        let mut request = if method.eq_ignore_ascii_case("post") {
            let request = self.http.post(url.clone()).header("content-type", "application/x-www-form-urlencoded");
            request.body(form(fields))
        } else {
            if !fields.is_empty() {
                url.query_pairs_mut().extend_pairs(fields);
            }
            self.http.get(url.clone())
        };
        for _ in 0..HOPS_MAX {
            let answer = request.send().await.map_err(|error| format!("no answer from {url}: {error:?}"))?;
            let status = answer.status();
            let Some(location) = answer.headers().get("location") else {
                let html = answer.text().await.unwrap_or_default();
                if !status.is_success() {
                    return Err(format!("the customer is shown {status} at {url}: {html}"));
                }
                return Ok(Landing::Page(Page { url, html }));
            };
            let location = location.to_str().map_err(|error| error.to_string())?;
            url = url.join(location).map_err(|error| format!("{location} is no address: {error}"))?;
            if let Some(query) = at_shop(&url) {
                return Ok(Landing::Shop(query));
            }
            request = self.http.get(url.clone());
        }
        Err(format!("the customer is redirected in circles at {url}"))
    }
}

/// Fields as a form sends them.
fn form(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The query, where the browser is back at the shop.
fn at_shop(url: &Url) -> Option<Vec<(String, String)>> {
    let shop = Url::parse(SHOP).expect("an address");
    let home = (url.host_str(), url.path()) == (shop.host_str(), shop.path());
    home.then(|| url.query_pairs().into_owned().collect())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The forms of a page, each with its hidden fields and the text of its button.
fn forms(html: &str) -> Vec<Form> {
    let read = |form: &str| {
        let (head, inside) = form.split_once('>')?;
        let inside = inside.split_once("</form>").map_or(inside, |(inside, _)| inside);
        let fields = tags(inside, "<input")
            .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default())));
        let button = inside.split_once("<button").and_then(|(_, button)| button.split_once('>'));
        let button = button.map(|(_, label)| label.split('<').next().unwrap_or_default());
        Some(Form {
            action: attribute(head, "action").unwrap_or_default(),
            method: attribute(head, "method").unwrap_or_else(|| "get".to_owned()),
            fields: fields.collect(),
            button: button.unwrap_or_default().trim().to_owned(),
        })
    };
    tags_open(html, "<form").filter_map(read).collect()
}

/// What follows each `open`, up to the next one.
fn tags_open<'a>(html: &'a str, open: &'a str) -> impl Iterator<Item = &'a str> {
    html.split(open).skip(1)
}

/// The insides of each tag that begins with `open`.
fn tags<'a>(html: &'a str, open: &'a str) -> impl Iterator<Item = &'a str> {
    tags_open(html, open).map(|rest| rest.split('>').next().unwrap_or_default())
}

/// An attribute's value, in quotes or without.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.match_indices(name).find(|(at, _)| {
        let before = tag[..*at].chars().last();
        before.is_some_and(char::is_whitespace) && tag[at + name.len()..].starts_with('=')
    })?;
    let value = &tag[at.0 + name.len() + 1..];
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next(),
        _ => value.split(char::is_whitespace).next(),
    }?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}
