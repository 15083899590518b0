"""Settings from the environment, which pydantic reads: refused in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from jaxshop.support.errors import ShopError


@contextmanager
def named_variables(prefix: str) -> Iterator[None]:
    """Turn what pydantic says into a ShopError that names each variable, `prefix` and the field, and never a value."""
    try:
        yield
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        raise ShopError(
            [
                f"{prefix}{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg'].removeprefix('Value error, ')}"
                for fault in faults
            ]
        ) from None
