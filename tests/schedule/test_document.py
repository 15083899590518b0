"""The schedule file: what it holds, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from jaxshop.schedule import from_json, read, to_json, write
from jaxshop.schedule.document import to_text
from jaxshop.shop import fingerprint
from jaxshop.support.errors import ShopError
from tests.schedule.test_verify import PLAN, VALID


def test_the_file_is_the_contracts(tmp_path: Path):
    """The file has the keys of the contract, ticks in rows and hours in the head, and reads back the same."""
    path = tmp_path / "schedule.json"
    write(path, VALID)
    data = json.loads(path.read_text())
    rows = data.pop("operations")
    assert data == {
        "format": "jaxshop-schedule/1",
        "shop": fingerprint(PLAN.shop),
        "max_lot_hours": 6,
        "makespan": 8.0,
    }
    assert rows[1] == {"job": "J1", "lot": 0, "operation": "b", "machine": "C", "start": 14400, "end": 18000}
    assert len(rows) == 5
    assert read(path) == dataclasses.replace(VALID, claimed_hours=8.0)


def test_the_text_is_that_of_the_json():
    """Shows the file's bytes to be those of Python's own writer, with ids that need quotes, and with no rows at all."""
    odd = VALID.rows[0]._replace(job='"J%s"\n', machine="Fräse\\")
    for rows in (VALID.rows, (odd, *VALID.rows[1:]), ()):
        schedule = dataclasses.replace(VALID, rows=rows)
        assert to_text(schedule) == json.dumps(to_json(schedule), indent=1)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"format": "jaxshop-schedule/2"}, "format: must be 'jaxshop-schedule/1'"),
        ({"shop": None}, "shop: must be a text"),
        ({"max_lot_hours": "6"}, "max_lot_hours: must be a number of hours or null"),
        ({"max_lot_hours": float("nan")}, "max_lot_hours: must be a number"),
        ({"max_lot_hours": True}, "max_lot_hours: must be a number"),
        ({"makespan": 10**400}, "makespan: must be a number of hours"),
        ({"makespan": None}, "makespan: must be a number of hours"),
        ({"operations": {}}, "operations: must be a list"),
        ({"operations": [5]}, "operations[0]: must be an object"),
        ({"operations": [{}]}, "operations[0]: job: missing"),
        ({"unit": "h"}, "unit: unknown key"),
    ],
)
def test_a_malformed_file_is_refused(change: dict, fault: str):
    """Reading is strict: what is missing, unknown or of another type is named."""
    with pytest.raises(ShopError) as caught:
        from_json({**to_json(VALID), **change}, "s.json")
    assert str(caught.value).startswith(f"s.json: {fault}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("job", 1),
        ("lot", "0"),
        ("lot", 0.0),
        ("start", 1.5),
        ("start", True),
        ("end", 2**31),
        ("end", 10**400),
    ],
)
def test_a_malformed_row_is_refused(key: str, value: object):
    """Times and lots are integers of int32; other values are refused with the row that holds them."""
    data = to_json(VALID)
    data["operations"][3][key] = value
    with pytest.raises(ShopError, match=rf"^s\.json: operations\[3\]: {key}: must be"):
        from_json(data, "s.json")


def test_what_is_no_schedule_is_refused(tmp_path: Path):
    """A file of something else ends in one line that names it."""
    path = tmp_path / "s.json"
    for text in ("[]", "", '{"format": "jaxshop-shop/1"}', "null"):
        path.write_text(text)
        with pytest.raises(ShopError, match=r"^\S*s\.json: [^\n]*$"):
            read(path)
