//! Makes a script for pgbench of statements and the parameters of two payments.
//!
//! Between two payments differ ids, keys, times, what was sealed, and texts in which ids stand. Ids and keys must
//! differ in the floor as well: they become expressions over the number that the script draws for each payment. The
//! rest stays as it was in the first payment: nobody looks it up.

use std::collections::HashMap;

use anyhow::{Context as _, ensure};

use super::capture::Payment;

/// A variable of pgbench.
pub struct Definition {
    pub name: String,
    pub value: String,
}

/// The statements with variables in place of parameters, and the variables' values.
pub fn write(
    statements: [&str; 2],
    payments: &[Payment; 2],
    types: &[Vec<String>; 2],
    merchant: &str,
) -> anyhow::Result<([String; 2], Vec<Definition>)> {
    let [first, second] = payments;
    let mut ids = Ids { known: HashMap::new() };
    let mut definitions = vec![Definition { name: "merchant".to_owned(), value: merchant.to_owned() }];
    let mut written = Vec::new();
    // The merchant is the first parameter of both statements, as of every statement of the host.
    let [ours, same] = first.parameters.each_ref().map(|parameters| parameters.first().cloned().flatten());
    let ours = ours.filter(|ours| same.as_ref() == Some(ours)).context("both statements begin with the merchant")?;
    for (index, statement) in statements.into_iter().enumerate() {
        let of = |payment: &Payment| payment.parameters.get(index).cloned().unwrap_or_default();
        let (mine, other) = (of(first), of(second));
        let types = types.get(index).map(Vec::as_slice).unwrap_or_default();
        ensure!(mine.len() == types.len() && mine.len() == other.len(), "the log shows every parameter");
        let mut parts = Vec::new();
        for (number, ((value, other), kind)) in mine.into_iter().zip(other).zip(types).enumerate() {
            let name = format!("s{index}p{}", number + 1);
            let part = match value {
                // Made null by the server, as the host's would be: a null in the text would be planned away.
                None => format!("nullif(:nothing, '0')::{kind}"),
                // pgbench knows no variable without a value.
                Some(value) if value.is_empty() => format!("''::{kind}"),
                Some(value) if value == ours => ":merchant::uuid".to_owned(),
                Some(value) if value == first.key => ":id::text".to_owned(),
                Some(value) if other.as_ref() != Some(&value) && kind == "uuid" => ids.one(&value)?,
                Some(value) if other.as_ref() != Some(&value) && kind == "uuid[]" => ids.many(&value)?,
                Some(value) => {
                    definitions.push(Definition { name: name.clone(), value });
                    format!(":{name}::{kind}")
                }
            };
            parts.push(part);
        }
        written.push(substitute(statement, &parts)?);
    }
    let written: [String; 2] = written.try_into().map_err(|_| anyhow::anyhow!("there are two statements"))?;
    Ok((written, definitions))
}

/// Ids of the first payment, and what stands for them: both statements must name the same rows.
struct Ids {
    known: HashMap<String, usize>,
}

impl Ids {
    /// The number in decimal digits, which are hexadecimal ones too, one digit that says which of the ids it is, and
    /// noughts: ids that grow with time, as the host's.
    fn one(&mut self, id: &str) -> anyhow::Result<String> {
        let next = self.known.len();
        let which = *self.known.entry(id.to_owned()).or_insert(next);
        ensure!(which < 16, "a payment has fewer ids than that");
        Ok(format!("rpad(:id::text || '{which:x}', 32, '0')::uuid"))
    }

    /// `{a,b}`
    fn many(&mut self, list: &str) -> anyhow::Result<String> {
        let inside = list.strip_prefix('{').and_then(|list| list.strip_suffix('}')).context("an array has braces")?;
        let ids: anyhow::Result<Vec<String>> = inside.split(',').map(|id| self.one(id)).collect();
        Ok(format!("array[{}]", ids?.join(", ")))
    }
}

/// Puts `parts` where `$1`, `$2` … stand.
fn substitute(statement: &str, parts: &[String]) -> anyhow::Result<String> {
    let mut pieces = statement.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(piece.len());
        let (number, rest) = piece.split_at(end);
        let number: usize = number.parse().context("a dollar sign stands before a number")?;
        let part = number.checked_sub(1).and_then(|index| parts.get(index)).context("every parameter has a value")?;
        text.push_str(part);
        text.push_str(rest);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shared_and_the_rest_stays() {
        let payment = |id: &str, key: &str| Payment {
            key: key.to_owned(),
            parameters: [
                [Some("m"), Some(id), Some(key), None, Some("EUR")].map(|value| value.map(str::to_owned)).into(),
                vec![Some("m".to_owned()), Some(format!("{{{id}}}"))],
            ],
        };
        let payments = [payment("a", "k-1"), payment("b", "k-2")];
        let types =
            [["uuid", "uuid", "text", "int4", "text"].map(str::to_owned).into(), vec!["uuid".into(), "uuid[]".into()]];
        let (statements, definitions) =
            write(["select $1, $2, $3, $4, $5::text", "select $2, $1"], &payments, &types, "0").expect("it can");
        let id = "rpad(:id::text || '0', 32, '0')::uuid";
        assert_eq!(
            statements,
            [
                format!("select :merchant::uuid, {id}, :id::text, nullif(:nothing, '0')::int4, :s0p5::text::text"),
                format!("select array[{id}], :merchant::uuid"),
            ]
        );
        assert_eq!(definitions.len(), 2);
    }
}
