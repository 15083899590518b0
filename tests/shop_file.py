"""A shop file with every key in use, and changes to it."""

from __future__ import annotations

HOUR = 3600


def example() -> dict:
    """The JSON of a shop with every key in use."""
    return {
        "format": "jaxshop-shop/1",
        "name": "night shift",
        "plan_start": "2026-11-23T06:00:00Z",
        "provenance": {
            "kind": "mariadb",
            "detail": "plant 3",
            "taken_at": "2026-11-23T05:58:00Z",
            "signature": "ab",
        },
        "machines": [
            {"id": "PP09", "work_centre": "press", "available_from": 1.5},
            {"id": "PP10", "work_centre": "press"},
            {"id": "SW01"},
        ],
        "jobs": [
            {
                "id": "JOST0084",
                "quantity": 1200,
                "release": 2.0,
                "due": -96.0,
                "weight": 2.5,
                "operations": [
                    {"id": "JOST0084/1", "setup": 0.25, "alternatives": {"PP09": 2.5, "PP10": 2.75}},
                    {"id": "JOST0084/2", "alternatives": {"SW01": 0.0003}},
                ],
            },
            {"id": "JOST0085", "operations": [{"id": "JOST0085/1", "alternatives": {"PP10": 1}}]},
        ],
    }


def altered(path: str, value: object) -> dict:
    """The example with the value at `path`, written as in the messages, replaced or added."""
    data = example()
    *parents, last = [int(key) if key.isdigit() else key for key in path.replace("]", "").replace("[", ".").split(".")]
    entry = data
    for key in parents:
        entry = entry[key]
    entry[last] = value
    return data
