"""What can go wrong on the way to another machine, before anybody has understood its answer.

Rule: a message names the host and never a path, a query, a header or a body: those may hold keys.
"""

from qingniao.errors import QingniaoError

__all__ = [
    "AddressRefused",
    "AnswerTooLong",
    "BrokenOff",
    "NoAnswer",
    "OutgoingError",
    "Redirected",
    "Unreachable",
]


class OutgoingError(QingniaoError):
    """Another machine could not be asked."""

    code = "outgoing"


class AddressRefused(OutgoingError):
    """This address is inside the network and not in `outgoing.allow`."""

    code = "address_refused"


class Unreachable(OutgoingError):
    """The other machine is down, or its name, port or certificate is wrong."""

    code = "unreachable"
    temporary = True


class NoAnswer(OutgoingError):
    """The other machine took the request and then said nothing for too long."""

    code = "no_answer"
    temporary = True


class BrokenOff(OutgoingError):
    """The connection broke in the middle."""

    code = "broken_off"
    temporary = True


class AnswerTooLong(OutgoingError):
    """The answer is larger than any that makes sense."""

    code = "answer_too_long"


class Redirected(OutgoingError):
    """The other machine points elsewhere, and keys are not carried there."""

    code = "redirected"
