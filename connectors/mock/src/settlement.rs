//! The settlement file: CSV with the header `kind,id,reference,gross,fee,currency,settled_on`, amounts in minor units.

use interlock_connector::money::from_signed_decimal;
use interlock_connector::types::{Failure, Line, LineKind, SignedMoney};

const HEADER: [&str; 7] = ["kind", "id", "reference", "gross", "fee", "currency", "settled_on"];

/// Every line of the file, in its order. One line that cannot be read makes the whole file unreadable: a total of some
/// of the lines would look like the truth.
pub fn read(file: &[u8]) -> Result<Vec<Line>, Failure> {
    let text = str::from_utf8(file).map_err(|_| Failure::new("the settlement file is not UTF-8"))?;
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let header = lines.next().and_then(|(_, line)| fields(line));
    if header.is_none_or(|names| names != HEADER) {
        return Err(Failure::new(["the settlement file does not begin with ", &HEADER.join(",")].concat()));
    }
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, text)| {
            line(text).ok_or_else(|| {
                let number = (index + 1).to_string();
                Failure::new(["line ", &number, " of the settlement file cannot be read"].concat())
            })
        })
        .collect()
}

fn line(text: &str) -> Option<Line> {
    let [kind, id, reference, gross, fee, currency, settled_on] = <[String; 7]>::try_from(fields(text)?).ok()?;
    let money = |minor_units: &str| Some(SignedMoney::new(from_signed_decimal(minor_units, 0)?, currency.clone()));
    Some(Line {
        kind: match kind.as_str() {
            "payment" => LineKind::Payment,
            "refund" => LineKind::Refund,
            "fee" => LineKind::Fee,
            "chargeback" => LineKind::Chargeback,
            "adjustment" => LineKind::Adjustment,
            _ => return None,
        },
        gateway_reference: id,
        operation_id: Some(reference).filter(|reference| !reference.is_empty()),
        gross: money(&gross)?,
        fee: money(&fee)?,
        settled_on,
    })
}

/// The fields of one line as RFC 4180 has them: in quotes where they hold a comma or a quote, which is doubled. The
/// gateway puts no line ends into fields.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::with_capacity(HEADER.len());
    let mut rest = line;
    loop {
        let (field, after) = field(rest)?;
        fields.push(field);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

/// The first field, and what follows it.
fn field(text: &str) -> Option<(String, &str)> {
    let Some(mut quoted) = text.strip_prefix('"') else {
        let (field, after) = text.split_at(text.find(',').unwrap_or(text.len()));
        return (!field.contains('"')).then(|| (field.to_owned(), after));
    };
    let mut field = String::new();
    loop {
        let (part, after) = quoted.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                quoted = more;
            }
            None => return Some((field, after)),
        }
    }
}
