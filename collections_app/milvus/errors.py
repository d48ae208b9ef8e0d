"""What can go wrong at Milvus, in the six kinds an operator can act on."""

PAUSED, BUSY = "paused", "busy"  # codes of our own, where Milvus was not even asked


class MilvusError(Exception):
    """Any failure at the border. `str()` is Milvus' own message, cleaned; `code` its code.

    `sent` is whether the act itself went out, if it was one. `speaker` is whose words `str()` are:
    Milvus' only if its reply had them.
    """

    kind = "error"
    sent = True
    speaker = "Milvus"

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class NotFound(MilvusError):
    """The database, collection or partition does not exist.

    Milvus 2.5.18 to 2.6 answer the same for a missing collection and a missing database.
    """

    kind = "not_found"


class Denied(MilvusError):
    """Milvus does not permit this to the account we use, or refuses its credentials."""

    kind = "denied"


class MilvusRejected(MilvusError):
    """Milvus said no; nothing happened."""

    kind = "refused"


class Standby(MilvusRejected):
    """The standby of a CDC pair: it refuses every change until it is promoted."""


class Incomplete(MilvusError):
    """Of several requests some were carried out, and the next one certainly was not."""

    kind = "incomplete"


class Contradiction(MilvusError):
    """Two answers of Milvus do not agree, or one makes no sense, so what is there is unknown.

    `str()` says which call answered what. Nothing that changes anything was sent.
    """

    kind = "contradiction"
    sent = False


class Unreachable(MilvusError):
    """Milvus did not answer, and nothing that changes anything was sent.

    `again_in` is after how many seconds asking again makes sense; 0 if nobody knows.
    """

    kind = "unreachable"
    sent = False

    def __init__(self, message: str, code: str = "", again_in: float = 0.0) -> None:
        super().__init__(message, code)
        self.again_in = again_in


class OutcomeUnknown(MilvusError):
    """A request that changes something was sent, and its answer never came."""

    kind = "unknown"
