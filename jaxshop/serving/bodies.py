"""Bodies of requests and replies: bytes of JSON on one side, what they hold on the other."""

from __future__ import annotations

import json
from typing import Any

from jaxshop.schedule import Schedule, from_json
from jaxshop.serving.problems import refusing
from jaxshop.shop import Shop, parse_shop
from jaxshop.shop.reading import Reader
from jaxshop.support.errors import ShopError
from jaxshop.support.files import parse_json

WHERE = "body"
"""What faults begin with."""


def encoded(document: object) -> bytes:
    """The bytes of a reply."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def decoded(body: bytes) -> Any:
    """What a request holds; raises ShopError where it is no JSON."""
    try:
        return parse_json(body.decode("utf-8-sig"), WHERE)
    except UnicodeDecodeError as error:
        raise ShopError(f"{WHERE}: not UTF-8 text (byte {error.start})") from None


def shop_and_schedule(body: bytes) -> tuple[Shop, Schedule]:
    """The two that a request to verify or export holds; raises Problem, a 422, where it does not."""
    with refusing(WHERE):
        reader = Reader(WHERE)
        data = reader.members(decoded(body), "", "shop schedule")
        for key in ("shop", "schedule"):
            if key not in data:
                reader.faults.add(key, "missing; the body must be an object of shop and schedule")
        reader.faults.raise_if_any()
    with refusing("shop", prefix="shop"):
        shop = parse_shop(data["shop"], "shop")
    with refusing("schedule", prefix="schedule"):
        return shop, from_json(data["schedule"], "schedule")
