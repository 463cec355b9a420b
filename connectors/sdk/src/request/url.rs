//! Percent-encoding of what is put into a URL.

/// `text` as one segment of a path: what a gateway's id becomes before it stands in a URL.
#[must_use]
pub fn path_segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode(&mut out, text);
    out
}

/// `url` with a query of the given names and values. The URL must have none yet.
///
/// ```
/// use interlock_connector::request::with_query;
///
/// let url = with_query("https://api.example.com/charges", [("reference", "op 1"), ("limit", "1")]);
/// assert_eq!(url, "https://api.example.com/charges?reference=op%201&limit=1");
/// ```
#[must_use]
pub fn with_query<'a>(url: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::with_capacity(url.len() + 64);
    out.push_str(url);
    let mut separator = '?';
    for (name, value) in query {
        out.push(separator);
        encode(&mut out, name);
        out.push('=');
        encode(&mut out, value);
        separator = '&';
    }
    out
}

/// Everything but the unreserved characters of RFC 3986, which mean themselves everywhere.
fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
            continue;
        }
        let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'A' + value - 10 });
        out.push('%');
        out.push(digit(byte >> 4));
        out.push(digit(byte & 0xf));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_place() {
        assert_eq!(path_segment("a/../b?c#d%&é"), "a%2F..%2Fb%3Fc%23d%25%26%C3%A9");
        assert_eq!(with_query("https://x/y", []), "https://x/y");
        assert_eq!(with_query("https://x/y", [("a&b", "c=d")]), "https://x/y?a%26b=c%3Dd");
    }
}
