"""Everything that trackable raises: one root, few leaves, each with its cure."""


class TrackableError(Exception):
    """The root of every error that trackable raises on purpose."""


class AlreadyRegistered(TrackableError):
    """The model already has this data class: unregister it first, or drop one of the two."""


class NotRegistered(TrackableError):
    """The model has no such data class: register it in the app's trackabledata.py."""


class CannotRegister(TrackableError):
    """The model or the data class is unfit: use concrete models that are not swapped out."""


class UnknownField(TrackableError):
    """The data class has no such counter: add the field, or correct its name."""


class UnsavedObject(TrackableError):
    """The object has no row yet: save it before counting on it."""


class WrongDataClass(TrackableError):
    """The data class does not count for this object: register it for the object's model."""


class BadAmount(TrackableError):
    """The amount does not fit the counter: pass a number that its field can hold."""


class BadKey(TrackableError):
    """The key of a visitor cannot be counted: pass text, bytes or an integer that is not empty."""


class BadSketch(TrackableError):
    """The column does not hold a distinct count: it was written by something else."""


class MissingLibrary(TrackableError):
    """A library is not installed that this needs: install the extra that the message names."""


class BadTime(TrackableError):
    """The time of the event cannot be used: pass an aware datetime."""


class BadPeriod(TrackableError):
    """The data class has no rows of such periods: ask for its own period, or a coarser one."""


class BadSum(TrackableError):
    """The field cannot be added up there: distinct counts are for total() and series()."""


class BadRecord(TrackableError):
    """The record cannot be written: emit what JSON can hold, and not too much of it."""


class BadMessage(TrackableError):
    """What arrived is not a batch of this version: see the reason in the quarantine."""


class BrokerUnavailable(TrackableError):
    """The broker did not answer in time: the journal keeps what waits, and retries."""


class BrokerRefused(BrokerUnavailable):
    """The broker refuses a queue or a message: see its reason and TRACKABLE_QUEUE_ARGUMENTS."""


class LedgerRefused(TrackableError):
    """The database did not keep a ledger entry: check its SQL mode and its warnings."""
