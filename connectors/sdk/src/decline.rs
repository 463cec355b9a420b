//! From a gateway's words for a decline to ours.

use crate::connector::Host;
use crate::types::{Decline, DeclineCode, Level, Pairs, RetryAdvice};

/// What the host lets through of a gateway's message.
const MESSAGE_MAX_BYTES: usize = 1024;
/// What the host lets through of a gateway's code.
const WORD_MAX_BYTES: usize = 255;

/// A gateway's decline codes: its word, what it means, and what may be tried next.
///
/// ```
/// use interlock_connector::DeclineTable;
/// use interlock_connector::types::{DeclineCode, RetryAdvice};
///
/// const DECLINES: DeclineTable = DeclineTable(&[
///     ("card_expired", DeclineCode::ExpiredCard, RetryAdvice::Never),
///     ("try_again_later", DeclineCode::GatewayError, RetryAdvice::SameGatewayLater),
/// ]);
/// assert_eq!(DECLINES.find("card_expired"), Some((DeclineCode::ExpiredCard, RetryAdvice::Never)));
/// ```
pub struct DeclineTable(pub &'static [(&'static str, DeclineCode, RetryAdvice)]);

impl DeclineTable {
    /// What the word means; none where the table does not have it.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<(DeclineCode, RetryAdvice)> {
        self.0.iter().find(|(known, ..)| *known == word).map(|(_, code, advice)| (*code, *advice))
    }

    /// The decline of that word. One that the table does not have is `other` with the advice `never` (nobody knows
    /// what a repetition would do), and a line in the log asks for it to be added. A word or message that is longer than
    /// the contract allows is cut: a clear no is worth more than its last words. What else the gateway says of it is
    /// added with [`Decline::about`], [`Decline::with_network_code`] and their like.
    pub fn decline(&self, word: &str, mut message: String, host: &mut dyn Host) -> Decline {
        let word = word.get(..word.floor_char_boundary(WORD_MAX_BYTES)).unwrap_or(word);
        message.truncate(message.floor_char_boundary(MESSAGE_MAX_BYTES));
        let (code, advice) = self.find(word).unwrap_or_else(|| {
            host.log(Level::Warn, &["the decline code ", word, " is in no table"].concat());
            (DeclineCode::Other, RetryAdvice::Never)
        });
        Decline {
            code,
            gateway_code: word.to_owned(),
            network_code: None,
            message,
            advice,
            gateway_reference: None,
            references: Pairs::new(),
            reopenable_for_seconds: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Mac, Request, Response};

    struct Listening(Vec<String>);

    impl Host for Listening {
        fn exchange(&mut self, _: &Request) -> Response {
            Response { status: 200, headers: Vec::new(), body: Vec::new() }
        }

        fn verify(&mut self, _: Mac, _: &str, _: &[u8], _: &[u8]) -> Option<u32> {
            None
        }

        fn log(&mut self, _: Level, message: &str) {
            self.0.push(message.to_owned());
        }
    }

    #[test]
    fn an_unknown_word_is_told_and_never_retried() {
        let table = DeclineTable(&[("broke", DeclineCode::InsufficientFunds, RetryAdvice::OtherGateway)]);
        let mut host = Listening(Vec::new());
        let known = table.decline("broke", String::new(), &mut host);
        assert_eq!((known.code, known.advice), (DeclineCode::InsufficientFunds, RetryAdvice::OtherGateway));
        assert!(host.0.is_empty());
        let unknown = table.decline("new_word", "No.".to_owned(), &mut host);
        assert_eq!((unknown.code, unknown.advice), (DeclineCode::Other, RetryAdvice::Never));
        assert_eq!((unknown.gateway_code.as_str(), unknown.message.as_str()), ("new_word", "No."));
        assert_eq!(host.0, ["the decline code new_word is in no table"]);
    }

    /// The host would refuse the outcome as a whole, and a clear no would become an unknown one.
    #[test]
    fn long_words_are_cut_to_what_the_host_lets_through() {
        let decline = DeclineTable(&[]).decline(&"x".repeat(300), "€".repeat(400), &mut Listening(Vec::new()));
        assert_eq!(decline.gateway_code, "x".repeat(255));
        assert_eq!(decline.message, "€".repeat(341));
    }

    #[test]
    fn a_networks_code_is_kept_where_the_contract_has_room_for_it() {
        let decline = DeclineTable(&[]).decline("word", String::new(), &mut Listening(Vec::new()));
        let kept = |code: Option<&str>| decline.clone().with_network_code(code).network_code;
        assert_eq!(kept(Some("05 : Do not honor")).as_deref(), Some("05 : Do not honor"));
        for code in [None, Some(""), Some("5\n1"), Some("é"), Some("x".repeat(65).as_str())] {
            assert_eq!(kept(code), None, "{code:?}");
        }
    }
}
