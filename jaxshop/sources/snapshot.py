"""Signatures: which shops are real data, read from the database and unchanged since.

A signature is HMAC-SHA256 over fingerprint, `taken_at` and kind. The key `JAXSHOP_SNAPSHOT_KEY` lets a shop
file prove later, and elsewhere, that it came out of the database. Without that key a read is signed with one
that dies with the process: enough for the training run that read it, and left out of files.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace

from jaxshop.shop import Shop, fingerprint
from jaxshop.support.errors import ShopError

KEY = "JAXSHOP_SNAPSHOT_KEY"
SHORTEST_KEY = 16
REAL = "mariadb"

_PROCESS_KEY = secrets.token_bytes(32)


def snapshot_key() -> bytes | None:
    """Return the key from the environment, None where it is not set.

    Raises:
        ShopError: it is too short to protect anything.
    """
    key = os.environ.get(KEY, "").encode("utf-8", "surrogateescape")
    if key and len(key) < SHORTEST_KEY:
        raise ShopError(f"{KEY}: must have at least {SHORTEST_KEY} characters; `openssl rand -hex 32` makes one")
    return key or None


def sign(shop: Shop) -> Shop:
    """Return a shop that was just read from the database, signed."""
    signature = _signature(shop, snapshot_key() or _PROCESS_KEY)
    return replace(shop, provenance=replace(shop.provenance, signature=signature))


def portable(shop: Shop) -> Shop:
    """Return the shop as a file should hold it: without a signature that nobody but this process could check."""
    if snapshot_key() is None and is_real_data(shop):
        return replace(shop, provenance=replace(shop.provenance, signature=None))
    return shop


def is_real_data(shop: Shop) -> bool:
    """Say whether the shop is what the database held: of kind `mariadb`, with a valid signature."""
    return _doubt(shop) is None


def require_real_data(shop: Shop) -> None:
    """Refuse a shop that is not real data; what `require_real_data = true` in a config stands for.

    Raises:
        ShopError: says why it is not.
    """
    if doubt := _doubt(shop):
        raise ShopError(f"require_real_data: {shop.name}: {doubt}")


def _doubt(shop: Shop) -> str | None:
    """Return what speaks against a shop's being real data, if anything does."""
    provenance = shop.provenance
    if provenance.kind != REAL:
        return f"its provenance is {provenance.kind!r}, not {REAL!r} or a signed snapshot of it"
    if not provenance.signature:
        return f"it claims {REAL!r} without a signature; `jaxshop db snapshot` writes signed ones"
    claimed = provenance.signature.encode("utf-8", "replace")
    if any(hmac.compare_digest(claimed, _signature(shop, key).encode()) for key in _keys()):
        return None
    advice = "is it the one that signed?" if snapshot_key() else f"set {KEY} to the key that signed it"
    return f"its signature is not valid: edited since it was taken, or another key ({advice})"


def _keys() -> Iterator[bytes]:
    if key := snapshot_key():
        yield key
    yield _PROCESS_KEY


def _signature(shop: Shop, key: bytes) -> str:
    provenance = shop.provenance
    message = json.dumps([fingerprint(shop), provenance.taken_at, provenance.kind])
    return hmac.new(key, message.encode(), "sha256").hexdigest()
