"""Everything that pixels raise: one root, few leaves, each with its cure."""

from trackable.exceptions import TrackableError


class PtrackError(TrackableError):
    """The root of every error that pixels raise on purpose."""


class PtrackRegistrationError(PtrackError):
    """The tracker does not take this pixel: register a subclass of TrackingPixel, once."""


class PtrackArgumentError(PtrackError):
    """The argument cannot travel: pass integers, strings, and lists or dictionaries of them."""


class PtrackOptionError(PtrackError, TypeError):
    """There is no such option: take one of those that the message names."""


class PtrackLengthError(PtrackError):
    """The address is longer than PTRACK_MAX_URL_LENGTH: pass a key, and look the rest up."""


class PtrackDecryptionError(PtrackError, ValueError):
    """This is not what was encrypted with one of the secrets: it is passed over."""
