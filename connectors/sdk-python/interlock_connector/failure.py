"""The connector cannot make sense of what the gateway said."""


class Failure(Exception):
    """Raised out of a connector, it is the contract's `failure`.

    The host treats the operation as unknown and finds out, and refuses a webhook. Anything else that is raised is a bug of
    the connector, and ends the run as a trap. No place for personal data, and nothing quoted from replies: the message
    goes to the operator's log.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
