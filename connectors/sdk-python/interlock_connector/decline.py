"""From a gateway's words for a decline to ours."""

from collections.abc import Mapping

from .connector import Host
from .types import Decline, DeclineCode, Level, RetryAdvice


class DeclineTable:
    """A gateway's decline codes: its word, what it means, and what may be tried next."""

    def __init__(self, words: Mapping[str, tuple[DeclineCode, RetryAdvice]]) -> None:
        self._words = words

    def decline(self, word: str, message: str, host: Host) -> Decline:
        """The decline of that word.

        One that the table does not have is `OTHER` with the advice `NEVER` (nobody knows what a repetition would do), and
        a line in the log asks for it to be added.
        """
        known = self._words.get(word)
        if known is None:
            host.log(Level.WARN, f"the decline code {word} is in no table")
        code, advice = known or (DeclineCode.OTHER, RetryAdvice.NEVER)
        return Decline(
            code=code,
            gateway_code=word,
            network_code=None,
            message=message,
            advice=advice,
            gateway_reference=None,
            references=[],
            reopenable_for_seconds=0,
        )
