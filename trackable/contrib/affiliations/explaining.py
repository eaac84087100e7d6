"""Explaining: what went wrong with a call, in a few words of our own.

What the partner's server has said is not among them: it is somebody's input, and people read these.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Final

from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from trackable.contrib.affiliations.guard import Unresolved
from trackable.contrib.affiliations.reporting import report
from trackable.management.printing import printable

MAX_LENGTH: Final = 200
#: More digits than that say a time that nobody waits for.
MAX_DIGITS: Final = 9
LATE: Final = "no whole answer in time"
SUCCESSES: Final = range(200, 300)
REDIRECTS: Final = range(300, 400)


class Late(Exception):  # noqa: N818
    """The time for a call is over."""


def is_success(status: int) -> bool:
    """Tell whether a partner has taken a call, by what it answered."""
    return status in SUCCESSES


def of_status(status: int) -> str:
    """Return what is wrong with an answer; nothing of a success."""
    if is_success(status):
        return ""
    if status in REDIRECTS:
        return f"it answered {status}, a redirect, which is not followed"
    return f"it answered {status}"


def of_error(error: Exception, *, is_late: bool) -> str:
    """Return why there is no answer."""
    if is_late:
        return LATE
    return shortened(_words(error))


def _words(error: Exception) -> str:
    match error:
        case Unresolved():
            return str(error)
        case NewConnectionError(__cause__=OSError(strerror=str(reason))):
            return f"no connection: {reason}"
        case ConnectTimeoutError():
            return "no connection in time"
        case Late() | TimeoutError():
            return LATE
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {error.reason}"
        case ConnectionError():
            return "it closed the connection without an answer"
        case HTTPException() | HTTPError():
            return "its answer is not HTTP"
        case OSError():
            return f"the network failed: {error.strerror}"
    report("A callback failed in a way that was not foreseen", error)
    return f"an unforeseen {type(error).__name__}"


def shortened(text: str) -> str:
    """Return a text as it can be kept, and shown in one line."""
    return printable(text)[:MAX_LENGTH]


def seconds_of(retry_after: str) -> float:
    """Return how long the header ``Retry-After`` asks to wait; 0 if it cannot be understood."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:MAX_DIGITS])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
