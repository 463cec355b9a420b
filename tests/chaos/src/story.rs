//! What a person needs to find out why a rule broke: the payment's whole story, from all sides, in order of time.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use anyhow::Context as _;
use interlock::domain::id::PaymentId;

use crate::{check::Breach, client::Call, facts::Facts, monkey::Diary, world::World};

/// Characters of a body that are shown.
const BODY_CHARACTERS: usize = 400;

/// The tables that tell of a payment, each with what is shown of a row and how rows are found and ordered.
const TABLES: &[(&str, &str, &str)] = &[
    ("payments", "to_jsonb(t)", "payment_id = '{id}'"),
    ("attempts", "to_jsonb(t) - 'digest'", "payment_id = '{id}' order by number"),
    ("operations", "to_jsonb(t) - 'digest' - 'context'", "payment_id = '{id}' order by created_at"),
    (
        "exchanges",
        "to_jsonb(t)",
        "operation_id in (select operation_id from operations where payment_id = '{id}') order by created_at",
    ),
    (
        "exchange_replies",
        "to_jsonb(t) || jsonb_build_object('body', encode(t.body, 'escape'))",
        "operation_id in (select operation_id from operations where payment_id = '{id}') order by received_at",
    ),
    ("payment_events", "to_jsonb(t)", "payment_id = '{id}' order by sequence"),
    ("work", "to_jsonb(t)", "payment_id = '{id}'"),
    ("reviews", "to_jsonb(t)", "payment_id = '{id}' order by opened_at"),
    (
        "idempotency_keys",
        "to_jsonb(t) - 'fingerprint' || jsonb_build_object('answer_body', encode(t.answer_body, 'escape'))",
        "payment_id = '{id}' order by created_at",
    ),
];

/// The story of the payment that a breach is about.
pub async fn tell(world: &World, facts: &Facts, diary: &Diary, breach: &Breach) -> String {
    let Some(payment) = &breach.payment else { return "no payment's story tells more about it".to_owned() };
    let mut text = format!("the story of {payment}\n");
    let told = match payment.parse::<PaymentId>() {
        Ok(id) => rows(world, &id.uuid().to_string(), &mut text).await,
        Err(fault) => Err(fault.into()),
    };
    if let Err(error) = told {
        let _ = writeln!(text, "  the database does not tell: {error:#}");
    }
    for charge in charges(facts, payment) {
        let _ = writeln!(text, "  gateway: {charge}");
    }
    let journeys: BTreeSet<u32> =
        facts.calls.iter().filter(|call| is_about(call, payment)).map(|call| call.journey).collect();
    let mut calls: Vec<&Call> = facts.calls.iter().filter(|call| journeys.contains(&call.journey)).collect();
    calls.sort_by_key(|call| call.began);
    for call in &calls {
        let _ = writeln!(text, "  client: {}", line(call));
    }
    if let (Some(first), Some(last)) = (calls.first(), calls.last()) {
        for (at, what) in diary
            .lines
            .iter()
            .filter(|(at, _)| *at + std::time::Duration::from_secs(8) > first.began && *at < last.ended)
        {
            let _ = writeln!(text, "  chaos: {} ms {what}", at.as_millis());
        }
    }
    text
}

async fn rows(world: &World, id: &str, text: &mut String) -> anyhow::Result<()> {
    for (table, shown, which) in TABLES {
        let which = which.replace("{id}", id);
        let sql = format!("select ({shown})::text from (select * from {table} where {which}) as t");
        for row in world.database.texts(&sql).await? {
            let _ = writeln!(text, "  {table}: {row}");
        }
    }
    Ok(())
}

fn charges(facts: &Facts, payment: &str) -> Vec<String> {
    let own: BTreeSet<&str> = facts
        .books
        .operations
        .iter()
        .filter(|operation| operation.payment == payment)
        .map(|operation| operation.id.as_str())
        .collect();
    let charges = facts.ledger.charges.iter().filter(|charge| own.contains(charge.reference.as_str()));
    let movements = facts.ledger.movements.iter().filter(|movement| own.contains(movement.reference.as_str()));
    charges.map(|charge| format!("{charge:?}")).chain(movements.map(|movement| format!("{movement:?}"))).collect()
}

fn is_about(call: &Call, payment: &str) -> bool {
    call.path.contains(payment)
        || call.answer.as_ref().is_some_and(|answer| answer.text("id") == payment || answer.text("payment") == payment)
}

fn line(call: &Call) -> String {
    let short = |text: &str| text.chars().take(BODY_CHARACTERS).collect::<String>();
    let body = call.body.as_ref().map(|body| short(&body.to_string())).unwrap_or_default();
    let answer = call.answer.as_ref().map_or("no answer".to_owned(), |answer| {
        let replayed = if answer.replayed { " (replayed)" } else { "" };
        format!("{}{replayed} {}", answer.status, short(&String::from_utf8_lossy(&answer.bytes)))
    });
    format!(
        "{}–{} ms, host {}: {} {} [{}] {body} -> {answer}",
        call.began.as_millis(),
        call.ended.as_millis(),
        call.host,
        call.method,
        call.path,
        call.key.as_deref().unwrap_or("no key")
    )
}

/// Keeps everything beside the logs: the database, what clients saw, what befell whom, every breach.
pub async fn keep(world: &World, facts: &Facts, diary: &Diary, breaches: &[Breach]) -> anyhow::Result<()> {
    let write = |name: &str, lines: Vec<String>| {
        let path = world.folder.join(name);
        fs::write(&path, lines.join("\n")).with_context(|| format!("{} could not be written", path.display()))
    };
    let mut calls: Vec<&Call> = facts.calls.iter().collect();
    calls.sort_by_key(|call| call.began);
    write("clients.txt", calls.into_iter().map(line).collect())?;
    write("chaos.txt", diary.lines.iter().map(|(at, what)| format!("{} ms {what}", at.as_millis())).collect())?;
    write("breaches.txt", breaches.iter().map(ToString::to_string).collect())?;
    for (number, gateway) in world.gateways.iter().enumerate() {
        write(&format!("gateway-{number}.json"), vec![gateway.ledger().await.to_string()])?;
    }
    world.database.dump(&world.folder.join("database.sql"))
}
