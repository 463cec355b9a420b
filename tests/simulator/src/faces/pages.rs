//! The pages a customer is sent to: approve or decline, and back to the shop.

use axum::http::StatusCode;

use super::answer::Answer;

/// A page. `title` and `content` are HTML of the face's own: nothing of a client's goes in unescaped.
pub fn page(title: &str, content: &str) -> Answer {
    let page = format!("<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{content}");
    Answer::new(StatusCode::OK, "text/html; charset=utf-8", page.into())
}

/// Asks whether to pay. The two buttons post to `{path}/approve` and `{path}/decline`; `path` begins with the face's
/// prefix.
pub fn question(title: &str, amount: i64, currency: &str, path: &str) -> Answer {
    page(
        title,
        &format!(
            "<p>Pay {amount} {currency} (minor units)?</p>\
             <form method=post action={path}/approve><button>Approve</button></form>\
             <form method=post action={path}/decline><button>Decline</button></form>"
        ),
    )
}

/// There is nothing to ask any more.
pub fn decided(title: &str) -> Answer {
    page(title, "<p>There is nothing left to decide.</p>")
}

/// 303 to the shop with what the gateway tells the browser to bring along; a page where there is no way back.
pub fn back(title: &str, return_url: Option<&str>, parameters: &[(&str, &str)]) -> Answer {
    let location = return_url.and_then(|url| location(url, parameters));
    let done = || page(title, "<p>Done. You may close this page.</p>");
    location.map_or_else(done, |url| Answer::empty(StatusCode::SEE_OTHER).with("location", &url))
}

/// The same by a form that the browser posts: at once where it runs scripts, else by a button.
pub fn post_back(title: &str, return_url: Option<&str>, fields: &[(&str, &str)]) -> Answer {
    let Some(url) = return_url.and_then(|url| location(url, &[])) else { return back(title, None, &[]) };
    let input = |(name, value): &(&str, &str)| {
        format!("<input type=hidden name=\"{}\" value=\"{}\">", escaped(name), escaped(value))
    };
    let inputs: String = fields.iter().map(input).collect();
    page(
        title,
        &format!(
            "<form method=post action=\"{}\">{inputs}<button>Continue</button></form>\
             <script>document.forms[0].submit()</script>",
            escaped(&url)
        ),
    )
}

/// A client's text as it stands in an attribute between quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// 404 for a person.
pub fn nothing_here() -> Answer {
    let mut answer = page("Not found", "<p>There is no such page.</p>");
    answer.status = StatusCode::NOT_FOUND;
    answer
}

/// The shop's address with more in its query; nothing where it is no address.
pub fn location(url: &str, parameters: &[(&str, &str)]) -> Option<String> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return None;
    }
    let (url, fragment) = url.split_once('#').map_or((url, String::new()), |(url, rest)| (url, format!("#{rest}")));
    if parameters.is_empty() {
        return Some(format!("{url}{fragment}"));
    }
    let joint = if url.contains('?') { '&' } else { '?' };
    let query = serde_urlencoded::to_string(parameters).ok()?;
    Some(format!("{url}{joint}{query}{fragment}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_keeps_query_and_fragment() {
        let back = |url| location(url, &[("charge", "ch_1"), ("result", "a b")]);
        assert_eq!(back("https://a.test/x").unwrap(), "https://a.test/x?charge=ch_1&result=a+b");
        assert_eq!(back("https://a.test/x?y=1#z").unwrap(), "https://a.test/x?y=1&charge=ch_1&result=a+b#z");
        assert_eq!(back("javascript:alert(1)"), None);
        assert_eq!(location("https://a.test/#z", &[]).unwrap(), "https://a.test/#z");
    }

    #[test]
    fn a_form_leads_back_and_nothing_breaks_out_of_it() {
        let answer = post_back("A", Some("https://a.test/?x=1&y=\"><script>"), &[("id", "\"&<>")]);
        let html = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(html.contains("action=\"https://a.test/?x=1&amp;y=&quot;&gt;&lt;script&gt;\""), "{html}");
        assert!(html.contains("name=\"id\" value=\"&quot;&amp;&lt;&gt;\""), "{html}");
        assert!(!String::from_utf8_lossy(&post_back("A", Some("file:///etc"), &[]).body).contains("form"));
    }

    #[test]
    fn without_a_way_back_the_customer_is_told_that_it_is_done() {
        assert_eq!(back("A", Some("https://a.test/"), &[]).status, 303);
        assert_eq!(back("A", Some("file:///etc"), &[]).status, 200);
        assert_eq!(back("A", None, &[]).status, 200);
        assert_eq!(nothing_here().status, 404);
    }
}
