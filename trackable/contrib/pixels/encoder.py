"""The encoder: makes of arguments the text that is in an address, and arguments of the text.

The form is that of django-ptrack 3.0.0, so each reads what the other one wrote.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from trackable import notices
from trackable.contrib.pixels import conf
from trackable.contrib.pixels.exceptions import PtrackDecryptionError

if TYPE_CHECKING:
    from nacl.secret import SecretBox

logger = logging.getLogger(__name__)

#: of 192 bits: XSalsa20's, drawn anew for each text
NONCE_BYTES: Final = 24
MAC_BYTES: Final = 16
FILLER: Final = b"{"
#: The padding may be cut off, or quoted once more, by what a mail passes through.
ENCODED: Final = re.compile(rb"([\w-]+)(?:=|%3[Dd]|=3[Dd]){0,2}", re.ASCII)

HOW_TO_MEND: Final = (
    f"Set it to a random string of at most {conf.KEY_BYTES} bytes, as this prints:"
    ' python -c "import secrets; print(secrets.token_urlsafe(24))"'
)


class Encoder(Protocol):
    """What encrypts: a class with these two as static methods."""

    def encrypt(self, *args: Any, **kwargs: Any) -> str:
        """Return the arguments as text; what of it an address cannot have is quoted."""

    def decrypt(self, data: str, /) -> Any:
        """Return the ``[args, kwargs]`` of a text. Raises ``ValueError`` for any other text."""


class PtrackEncoder:
    """Encrypts with ``PTRACK_SECRET``: XSalsa20 and Poly1305, as PyNaCl's ``SecretBox``."""

    @staticmethod
    def encrypt(*args: Any, **kwargs: Any) -> str:
        """Return JSON values as text of letters, digits, ``-`` and ``_``: never twice the same.

        Raises ``ImproperlyConfigured`` without a secret or PyNaCl, ``TypeError`` or
        ``ValueError`` for what is no JSON.
        """
        text = json.dumps([args, kwargs], ensure_ascii=False, separators=(",", ":"))
        data = text.encode()
        # Blanks mean nothing to JSON, and spare the address a padding that others could cut off.
        data += b" " * (-(NONCE_BYTES + MAC_BYTES + len(data)) % 3)
        encrypted = _box(conf.get("SECRET"), "PTRACK_SECRET").encrypt(data)
        return base64.urlsafe_b64encode(encrypted).decode()

    @staticmethod
    def decrypt(encoded_data: bytes | str) -> Any:
        """Return the ``[args, kwargs]`` that were encrypted with the secret or a former one.

        Raises ``PtrackDecryptionError``, a ``ValueError``, for anything else, and
        ``ImproperlyConfigured`` without a secret or PyNaCl, or if the former ones are no list.
        """
        encrypted = _decode(encoded_data)
        for box in _boxes():
            plain = _open(box, encrypted)
            if plain is not None:
                break
        else:
            raise PtrackDecryptionError("It was not encrypted with a secret of this site.")
        try:
            return json.loads(plain.decode())
        except (ValueError, RecursionError) as error:
            raise PtrackDecryptionError("What was encrypted is no JSON.") from error


def encoder_in_force() -> Encoder:
    """Return what encrypts: ``ptrack_encoder`` if that was set, else ``PTRACK_ENCODER``.

    Raises ``ImproperlyConfigured`` if the setting leads nowhere.
    """
    from trackable.contrib import pixels

    if pixels.ptrack_encoder is not PtrackEncoder:
        return pixels.ptrack_encoder
    path = conf.get("ENCODER")
    try:
        found: Encoder = import_string(path)
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"PTRACK_ENCODER cannot be imported: {path!r}.") from error
    return found


def _decode(encoded_data: bytes | str) -> bytes:
    data = encoded_data.encode() if isinstance(encoded_data, str) else encoded_data
    match = ENCODED.fullmatch(data)
    # Four letters are three bytes, and there is no byte in a single letter more.
    if match is None or len(match[1]) % 4 == 1:
        raise PtrackDecryptionError("It is no base64.")
    return base64.urlsafe_b64decode(match[1] + b"=" * (-len(match[1]) % 4))


def _boxes() -> Iterator[SecretBox]:
    yield _box(conf.get("SECRET"), "PTRACK_SECRET")
    fallbacks = conf.get("SECRET_FALLBACKS")
    if not isinstance(fallbacks, list | tuple):  # each letter of a string would be a key
        kind = type(fallbacks).__name__
        raise ImproperlyConfigured(f"PTRACK_SECRET_FALLBACKS must be a list, and is a {kind}.")
    for number, secret in enumerate(fallbacks):
        if (flaw := conf.flaw_of(secret)) is None:
            yield _box(secret, "PTRACK_SECRET_FALLBACKS")
        elif notices.is_news(f"pixels: fallback {number}"):
            logger.error("PTRACK_SECRET_FALLBACKS[%d] is passed over: it %s.", number, flaw)


def _box(secret: Any, name: str) -> SecretBox:
    if flaw := conf.flaw_of(secret):
        raise ImproperlyConfigured(f"{name} {flaw}. {HOW_TO_MEND}")
    try:
        from nacl.secret import SecretBox
    except ImportError as error:
        raise ImproperlyConfigured(
            "The encoder of pixels needs PyNaCl: install trackable[pixels], or set PTRACK_ENCODER."
        ) from error
    return SecretBox(conf.as_bytes(secret).ljust(conf.KEY_BYTES, FILLER))


def _open(box: SecretBox, encrypted: bytes) -> bytes | None:
    from nacl.exceptions import CryptoError

    if len(encrypted) < NONCE_BYTES + MAC_BYTES:
        return None
    try:
        return box.decrypt(encrypted)
    except CryptoError:
        return None
