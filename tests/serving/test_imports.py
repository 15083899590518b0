"""`POST /v1/imports`: tables in, a shop file out."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from jaxshop.serving.import_schemas import ImportReply
from jaxshop.shop import fingerprint
from jaxshop.sources.tables import Reading, import_tables, parse_start
from tests.sources.test_tables import BERLIN, GOOD, workbook

from .replies import conforms, problem

EXAMPLES = Path(__file__).parents[2] / "examples" / "shop"
OPTIONS = {"plan_start": "2026-11-23T06:00", "timezone": "Europe/Berlin"}


def asked(files: dict[str, bytes], **options: Any) -> dict[str, Any]:
    """The body that asks for an import."""
    packed = {name: base64.b64encode(data).decode() for name, data in files.items()}
    return {"files": packed, "options": OPTIONS | options}


def test_tables_become_the_shop_of_the_command(client: httpx.Client) -> None:
    """The example's CSV files give the shop of `jaxshop import`, named after the first of them unless it is told."""
    names = ("orders", "routes", "machines", "shifts", "setups")
    files = {f"{name}.csv": (EXAMPLES / f"{name}.csv").read_bytes() for name in names}
    reply = conforms(client.post("/v1/imports", json=asked(files)), ImportReply)
    shop, ignored, _ = import_tables(files, Reading(parse_start(OPTIONS["plan_start"], BERLIN), BERLIN), "orders")
    assert (reply["fingerprint"], reply["ignored_columns"]) == (fingerprint(shop), ignored)
    assert reply["shop"]["name"] == "orders"
    assert client.post("/v1/imports", json=asked(files) | {"name": "press"}).json()["shop"]["name"] == "press"


def test_every_fault_is_listed_with_its_place_in_words_of_the_api(client: httpx.Client) -> None:
    """A workbook with three faults and CSV files without options: file, sheet, row and column, and what would help."""
    orders = [["order", "due"], ["A", "soon"], ["A", None]]
    routes = [["order", "step", "machine", "hours"], ["A", 10, "M1", "2,5"]]
    book = workbook({"Orders": orders, "Routes": routes, "Machines": [["machine"], ["M1"]]})
    told = problem(client.post("/v1/imports", json=asked({"plan.xlsx": book})), 422)
    assert [error["message"].partition(": must")[0].partition("; ")[0] for error in told["errors"]] == [
        "plan.xlsx: sheet 'Orders', row 2, column 'due'",
        "plan.xlsx: sheet 'Orders', row 3, column 'order': 'A' again, as in row 2",
        "plan.xlsx: sheet 'Routes', row 2, column 'hours': '2,5' has a decimal comma, or marks thousands",
    ]
    assert "say options.decimal comma" in told["errors"][2]["message"]
    bare = asked({name: text.encode() for name, text in GOOD.items()}) | {"options": {}}
    assert "without options.plan_start" in problem(client.post("/v1/imports", json=bare), 422)["detail"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"files": {}}, "files"),
        ({"files": {"orders.csv": "%"}}, "files.orders.csv"),
        ({"more": 1}, "more"),
        ({"options": {"decimal": ";"}}, "options.decimal"),
    ],
)
def test_a_body_of_another_shape_is_refused(client: httpx.Client, change: dict[str, Any], path: str) -> None:
    """No file, what is not base64, and what is not known are each named by their path."""
    told = problem(client.post("/v1/imports", json=asked({"orders.csv": b""}) | change), 422)
    assert [error["path"] for error in told["errors"]] == [path]
