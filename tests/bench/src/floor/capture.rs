//! Two real payments, as Postgres saw them: the parameters of their two statements, from its log.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};

use crate::{
    load::{self, Keys},
    world::World,
};

/// What the log has to hold of each of the two statements.
const MARKS: [&str; 2] = ["-- store::begin::attempt::create_and_begin", "-- store::finish::finish"];
/// Until the log has what happened.
const WRITTEN: Duration = Duration::from_millis(300);

/// One payment: the parameters of commit 1 and of commit 2, as text; none where null.
pub struct Payment {
    pub key: String,
    pub parameters: [Vec<Option<String>>; 2],
}

/// Makes two payments one after the other and reads what they wrote.
pub fn two_payments(world: &mut World) -> anyhow::Result<[Payment; 2]> {
    let gateway = world.simulator.url.clone();
    world.gateway_takes(&gateway, 0)?;
    let payment = world.payment(None)?;
    world.postgres.set("log_min_duration_statement", Some("0"))?;
    let keys = Keys::fresh(world.fresh_prefix());
    let tally = load::exactly(&payment, &keys, 1, 1)?;
    tally.must_be_good()?;
    let tally = load::exactly(&payment, &keys, 1, 1)?;
    tally.must_be_good()?;
    std::thread::sleep(WRITTEN);
    world.postgres.set("log_min_duration_statement", None)?;
    let log = fs::read_to_string(world.postgres.log()).context("the server's log cannot be read")?;
    let [begins, finishes] = MARKS.map(|mark| executed(&log, mark));
    ensure!(
        begins.len() == 2 && finishes.len() == 2,
        "the log shows {} first and {} second commits of two payments",
        begins.len(),
        finishes.len()
    );
    let mut payments = begins
        .into_iter()
        .zip(finishes)
        .enumerate()
        .map(|(number, (begin, finish))| Payment { key: keys.nth(number), parameters: [begin, finish] });
    let (first, second) = (payments.next().context("there are two")?, payments.next().context("there are two")?);
    Ok([first, second])
}

/// The parameters of every run of the statement with this mark.
fn executed(log: &str, mark: &str) -> Vec<Vec<Option<String>>> {
    // A line that begins with a tab goes on with the line before it.
    let joined = log.replace("\n\t", " ");
    let lines: Vec<&str> = joined.lines().collect();
    let runs = lines.windows(2).filter_map(|pair| match pair {
        [statement, detail] if statement.contains(" execute ") && statement.contains(mark) => {
            let (_, list) = detail.split_once("arameters: ")?;
            Some(parameters(list))
        }
        _ => None,
    });
    runs.collect()
}

/// Reads `$1 = 'it''s', $2 = NULL`.
fn parameters(list: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = list;
    while let Some((_, value)) = rest.split_once(" = ") {
        let Some(quoted) = value.strip_prefix('\'') else {
            values.push(None);
            rest = value.strip_prefix("NULL").unwrap_or_default();
            continue;
        };
        let mut text = String::new();
        let mut signs = quoted.char_indices().peekable();
        rest = "";
        while let Some((at, sign)) = signs.next() {
            if sign != '\'' {
                text.push(sign);
            } else if signs.next_if(|(_, next)| *next == '\'').is_some() {
                text.push('\'');
            } else {
                rest = quoted.get(at + 1..).unwrap_or_default();
                break;
            }
        }
        values.push(Some(text));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_read() {
        let log = "x [1] LOG:  duration: 0.1 ms  parse s_1: -- a::b\n\tselect $1\n\
                   x [1] LOG:  duration: 0.1 ms  execute s_1: -- a::b\n\tselect $1, $2, $3\n\
                   x [1] DETAIL:  parameters: $1 = 'it''s = here, $2 = x', $2 = NULL, $3 = ''\n";
        let found = executed(log, "-- a::b");
        assert_eq!(found, [[Some("it's = here, $2 = x".to_owned()), None, Some(String::new())]]);
        assert!(executed(log, "-- a::c").is_empty());
    }
}
