//! What an outcome may hold.

use crate::connector::{
    RunError,
    sanity::{delivery, lines, opening, outcome, request},
    types::{
        Accepted, ActionNeeded, Approval, Body, CustomerAction, Decline, DeclineCode, Delivery, Effect, Event,
        EventKind, Keep, Line, LineKind, Method, Money, Opening, OperationKind, Outcome, Redirect, Request, Response,
        RetryAdvice, Segment, SignedMoney,
    },
};

fn approval() -> Approval {
    Approval {
        gateway_reference: "ch_1".to_owned(),
        amount: Money { minor_units: 1, currency: "EUR".to_owned() },
        captured_total: None,
        refunded_total: None,
        references: vec![("charge".to_owned(), "ch_1".to_owned())],
        network_reference: None,
        authorization_code: None,
        capture_before: None,
        extra: vec![],
    }
}

fn send() -> Request {
    Request {
        method: Method::Get,
        url: "https://gateway.example/".to_owned(),
        headers: vec![],
        body: Body::Empty,
        computed: vec![],
        effect: Effect::Reads,
        resendable: true,
    }
}

fn detail(checked: Result<(), RunError>) -> String {
    match checked {
        Err(RunError::BadOutcome { detail }) => detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn approvals_are_bounded() {
    type Change = fn(&mut Approval);
    let table: &[(&str, Change)] = &[
        ("gateway-reference is empty", |a| a.gateway_reference.clear()),
        ("gateway-reference has more", |a| a.gateway_reference = "x".repeat(256)),
        ("gateway-reference holds a NUL", |a| a.gateway_reference = "a\0".to_owned()),
        ("amount: the currency", |a| a.amount.currency = "eur".to_owned()),
        ("amount is larger", |a| a.amount.minor_units = u64::MAX),
        ("captured-total: the currency", |a| {
            a.captured_total = Some(Money { minor_units: 1, currency: String::new() });
        }),
        ("references has more than 32", |a| a.references = vec![("a".to_owned(), "b".to_owned()); 33]),
        ("references is empty", |a| a.references = vec![(String::new(), "b".to_owned())]),
        ("references has more than 1024", |a| a.references = vec![("a".to_owned(), "b".repeat(1025))]),
        ("authorization-code", |a| a.authorization_code = Some("x".repeat(300))),
        ("capture-before", |a| a.capture_before = Some(u64::MAX)),
        ("extra holds a NUL", |a| a.extra = vec![("a".to_owned(), "\0".to_owned())]),
    ];
    assert_eq!(outcome(&Outcome::Captured(approval()), OperationKind::Authorize), Ok(()));
    for (expected, change) in table {
        let mut changed = approval();
        change(&mut changed);
        let found = detail(outcome(&Outcome::Authorized(changed), OperationKind::Authorize));
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

#[test]
fn a_customer_is_sent_nowhere_strange() {
    let needed = |actions| {
        Outcome::ActionRequired(ActionNeeded { gateway_reference: None, references: vec![], actions, expires_at: None })
    };
    let redirect =
        |url: &str| CustomerAction::Redirect(Redirect { url: url.to_owned(), method: Method::Get, fields: vec![] });
    let check = |action: CustomerAction| outcome(&needed(vec![action]), OperationKind::Authorize);
    assert_eq!(check(redirect("https://bank.example/3ds?x=1")), Ok(()));
    assert_eq!(check(redirect("http://127.0.0.1:9000/redirect/ch_1")), Ok(()));
    assert_eq!(check(CustomerAction::OpenApp("upi://pay?pa=a@b".to_owned())), Ok(()));
    assert_eq!(check(CustomerAction::DisplayQr("upi://pay?pa=a@b".to_owned())), Ok(()));
    assert_eq!(check(CustomerAction::AwaitApproval), Ok(()));
    for bad in ["javascript:alert(1)", "/relative", "", "ftp://bank.example", "data:text/html,x"] {
        detail(check(redirect(bad)));
    }
    for bad in ["javascript:alert(1)", "file:///etc/passwd", "pay", ""] {
        detail(check(CustomerAction::OpenApp(bad.to_owned())));
    }
    detail(check(CustomerAction::DisplayQr("x".repeat(3000))));
    detail(outcome(&needed(vec![]), OperationKind::Authorize));
    detail(outcome(&needed(vec![CustomerAction::AwaitApproval; 9]), OperationKind::Authorize));
}

#[test]
fn the_other_outcomes_are_bounded_too() {
    let accepted = Accepted { gateway_reference: Some("x".repeat(256)), references: vec![] };
    detail(outcome(&Outcome::Pending(accepted), OperationKind::Authorize));
    let decline = Decline {
        code: DeclineCode::Other,
        gateway_code: "05".to_owned(),
        network_code: None,
        message: "x".repeat(2000),
        advice: RetryAdvice::Never,
        gateway_reference: None,
        references: vec![],
        reopenable_for_seconds: 0,
    };
    detail(outcome(&Outcome::Declined(decline.clone()), OperationKind::Authorize));
    let of_network = |code: &str| {
        let decline = Decline { network_code: Some(code.to_owned()), message: String::new(), ..decline.clone() };
        outcome(&Outcome::Declined(decline), OperationKind::Authorize)
    };
    for good in ["5", "05 : Do not honor", &"x".repeat(64)] {
        assert_eq!(of_network(good), Ok(()));
    }
    for bad in ["", "\0", "0\n5", "é", &"x".repeat(65)] {
        assert!(detail(of_network(bad)).starts_with("network-code"), "{bad:?}");
    }
    assert_eq!(outcome(&Outcome::NeverReceived, OperationKind::Sync), Ok(()));
    detail(outcome(&Outcome::NeverReceived, OperationKind::Authorize));
}

#[test]
fn requests_can_be_written_down() {
    assert_eq!(request(&send()), Ok(()));
    detail(request(&Request { url: "https://gateway.example/\0".to_owned(), ..send() }));
    detail(request(&Request { body: Body::Json(vec![Segment::Text("{\0}".to_owned())]), ..send() }));
    let header = ("a".to_owned(), vec![Segment::Secret("\0".to_owned())]);
    detail(request(&Request { headers: vec![header], ..send() }));
}

#[test]
fn deliveries_sessions_and_lines_are_bounded() {
    let event = |kind| Event {
        id: "evt".to_owned(),
        occurred_at: None,
        operation_id: None,
        gateway_reference: None,
        references: vec![],
        kind,
        proof: None,
    };
    let given =
        |events, status, headers| Delivery { events, acknowledgement: Response { status, headers, body: vec![] } };
    let notice = || event(EventKind::Notice("dispute".to_owned()));
    assert_eq!(delivery(&given(vec![notice()], 200, vec![])), Ok(()));
    detail(delivery(&given(vec![Event { id: String::new(), ..notice() }], 200, vec![])));
    detail(delivery(&given(vec![], 99, vec![])));
    detail(delivery(&given(vec![], 200, vec![("a".to_owned(), "b\r\nc: d".to_owned())])));
    let bad = Outcome::Captured(Approval { gateway_reference: String::new(), ..approval() });
    detail(delivery(&given(vec![event(EventKind::Outcome((OperationKind::Capture, bad)))], 200, vec![])));

    let keep = Keep {
        name: "token".to_owned(),
        pointer: "/access_token".to_owned(),
        lifetime_pointer: None,
        lifetime_seconds: 60,
    };
    assert_eq!(opening(&Opening { request: send(), keep: vec![keep.clone()] }), Ok(()));
    detail(opening(&Opening { request: send(), keep: vec![] }));
    detail(opening(&Opening { request: send(), keep: vec![Keep { pointer: "token".to_owned(), ..keep.clone() }] }));
    detail(opening(&Opening { request: send(), keep: vec![Keep { lifetime_seconds: 0, ..keep }] }));

    let line = |settled_on: &str| Line {
        kind: LineKind::Payment,
        gateway_reference: "ch_1".to_owned(),
        operation_id: None,
        gross: SignedMoney { minor_units: 100, currency: "EUR".to_owned() },
        fee: SignedMoney { minor_units: -3, currency: "EUR".to_owned() },
        settled_on: settled_on.to_owned(),
    };
    assert_eq!(lines(&[line("2026-02-28")]), Ok(()));
    for bad in ["2026-02-30", "28.02.2026", "", "2026-2-8"] {
        detail(lines(&[line(bad)]));
    }
}
