"""Encrypted tracking pixels that need no table: what an image was made for is in its address."""

from trackable.contrib.pixels.encoder import Encoder, PtrackEncoder
from trackable.contrib.pixels.exceptions import (
    PtrackArgumentError,
    PtrackDecryptionError,
    PtrackError,
    PtrackLengthError,
    PtrackOptionError,
    PtrackRegistrationError,
)
from trackable.contrib.pixels.trackers import Tracker, TrackingPixel, tracker

__all__ = [
    # what is called when an image is loaded
    "Tracker",
    "TrackingPixel",
    "tracker",
    # what encrypts: to have another one, set ptrack_encoder
    "Encoder",
    "PtrackEncoder",
    "ptrack_encoder",
    # errors
    "PtrackArgumentError",
    "PtrackDecryptionError",
    "PtrackError",
    "PtrackLengthError",
    "PtrackOptionError",
    "PtrackRegistrationError",
]

ptrack_encoder: Encoder = PtrackEncoder
