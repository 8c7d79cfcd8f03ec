"""SHA-256, by the implementation that costs least for the size."""

from __future__ import annotations

from collections.abc import Callable

_SMALL = 1 << 20  # bytes; below, hashing without OpenSSL takes less time than importing it


def quick_sha256(content: bytes) -> str:
    """Return the SHA-256 of a short text, in hex, without importing hashlib.

    hashlib loads all of OpenSSL, which takes more time and memory than the rest of a lookup.
    """
    sha256: Callable[[bytes], object]
    try:
        from _sha2 import sha256  # type: ignore[import-not-found, no-redef]
    except ImportError:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found, no-redef]
        except ImportError:
            from hashlib import sha256
    return str(sha256(content).hexdigest())  # type: ignore[attr-defined]


def digest(content: bytes) -> str:
    """Return the SHA-256 of a file of any size, in hex."""
    if len(content) < _SMALL:
        return quick_sha256(content)
    from hashlib import sha256  # 18 ms, worth it only for a large store

    return sha256(content).hexdigest()
