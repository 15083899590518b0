"""The page that a schedule is written as: complete, self-contained, and safe whatever the names are."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from jaxshop.schedule import Schedule
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import LotPlan, split_lots
from jaxshop.support.errors import ShopError
from jaxshop.views.gantt import VIEWER, gantt_page, write_gantt
from tests.schedule.test_plant import press
from tests.shops import HOSTILE, hostile_shop
from tests.views.page.stub import CHART, STATIC, make_schedule


class Page(HTMLParser):
    """Collects what the page holds: `elements` as (tag, attributes), `texts` of elements by tag."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text under the last tag that was opened."""
        if self.elements:
            self.texts.setdefault(self.elements[-1][0], []).append(data)


Drawn = tuple[LotPlan, Schedule, Page]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """A plan with hostile names, its schedule, and its page."""
    plan = split_lots(hostile_shop(name=HOSTILE, plan_start="2026-11-23T06:00:00Z"), 4.0)
    schedule = make_schedule(plan)
    return plan, schedule, Page(gantt_page(plan, schedule, 7, None))


def test_the_data_are_the_schedule(drawn: Drawn) -> None:
    """The embedded JSON holds every row, name, due date and set-up, exactly, in ticks."""
    plan, schedule, page = drawn
    data = json.loads("".join(t for t in page.texts["script"] if t.startswith('{"shop"')))
    assert [tuple(row.values()) for row in data["rows"]] == [tuple(row) for row in schedule.rows]
    assert data["shop"]["name"] == HOSTILE
    assert [machine["id"] for machine in data["shop"]["machines"]] == [m.id for m in plan.shop.machines]
    assert [job["due"] for job in data["shop"]["jobs"]] == [job.due for job in plan.shop.jobs]
    assert data["shop"]["jobs"][0]["operations"][0] == {"id": "J000/0", "setup": 600}
    assert (data["bound"], data["target"]) == (7, None)


def test_no_name_becomes_markup(drawn: Drawn) -> None:
    """Quotes, tags and emoji in ids stay text: the page has exactly the elements that it was written with."""
    *_, page = drawn
    assert "img" not in {tag for tag, _ in page.elements}
    assert "".join(page.texts["title"]).strip() == HOSTILE
    plain = split_lots(hostile_shop(), None)
    harmless = Page(gantt_page(plain, make_schedule(plain), None, None))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]


def test_nothing_is_fetched(drawn: Drawn) -> None:
    """No element names another file; the policy allows exactly the scripts and the style inside."""
    *_, page = drawn
    assert not any({"src", "href", "srcset"} & attributes.keys() for _, attributes in page.elements)
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    inside = [text for text in page.texts["script"] + page.texts["style"] if '"use strict"' in text or ":root" in text]
    hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inside}
    assert set(re.findall(r"'sha256-(.*?)'", policy)) == hashes
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


OWN = [
    *("calendar", "model", "check", "board", "draft", "compare"),
    *(
        "api",
        "store",
        "search",
        "preview",
        "running",
        "drag",
        "planning",
        "entries",
        "shelf",
        "import",
        "export",
        "app",
    ),
]
"""The scripts that the planner's page alone has, in the order in which it loads them."""


def test_both_pages_load_the_same_scripts() -> None:
    """What gantt.html inlines is what the planner's page loads, in the same order; no script is left over."""
    served = re.findall(r'src="/static/(\w+)\.js"', (STATIC / "index.html").read_text())
    assert served == [*VIEWER, *OWN]
    assert {path.stem for folder in (STATIC, CHART) for path in folder.glob("*.js")} == {*served, "report"}


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path, drawn: Drawn) -> None:
    """A page that cannot be written is refused by name and leaves nothing behind."""
    plan, schedule, _ = drawn
    write_gantt(tmp_path / "gantt.html", plan, schedule, None, None)
    assert (tmp_path / "gantt.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    with pytest.raises(ShopError, match="missing"):
        write_gantt(tmp_path / "missing" / "gantt.html", plan, schedule, None, None)
    assert [path.name for path in tmp_path.iterdir()] == ["gantt.html"]


# Machado, Oliveira and Fernandes 2009, full severity, in linear RGB.
EYES = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
LMS = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566]]
LMS += [[0.0883024619, 0.2817188376, 0.6299787005]]
OKLAB = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099]]
OKLAB += [[0.0259040371, 0.7827717662, -0.8086757660]]


def linear(colour: str) -> np.ndarray:
    """Linear RGB of `#rrggbb`."""
    value = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def palette(start: str, end: str) -> list[str]:
    """The colours between two words of colours.js."""
    text = (CHART / "colours.js").read_text()
    return re.findall(r"#[0-9a-f]{6}", text[text.index(start) : text.index(end)])


@pytest.mark.parametrize(("start", "end", "count"), [("HUES", "NO_DATE", 10), ("LATENESS", "slackStep", 4)])
def test_colours_are_told_apart_by_all_eyes(start: str, end: str, count: int) -> None:
    """Any two fills differ visibly with and without colour blindness, and dark text reads on each."""
    colours = palette(start, end)
    assert len(colours) == count
    inks = re.findall(r"--ink: (#\w{6})", (CHART / "style.css").read_text())
    assert min(contrast(colour, ink) for colour in colours for ink in inks) >= 4.5
    for eye, matrix in EYES.items():
        lab = [np.array(OKLAB) @ np.cbrt(np.array(LMS) @ np.clip(matrix @ linear(c), 0, 1)) for c in colours]
        closest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(lab, 2))
        assert closest >= {"normal": 0.1, "protan": 0.075, "deutan": 0.075, "tritan": 0.055}[eye], eye


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_is_legible_in_both_schemes(scheme: int) -> None:
    """Text, muted text, links and warnings have a contrast of 4.5 to panel and page, light and dark."""
    style = (CHART / "style.css").read_text()
    names = {
        name: re.findall(rf"--{name}: (#\w{{6}})", style)[scheme]
        for name in ("page", "panel", "text", "muted", "accent", "late", "good")
    }
    for ground in ("page", "panel"):
        for name in ("text", "muted", "accent", "late", "good"):
            assert contrast(names[name], names[ground]) >= 4.5, (name, ground)


def test_closed_time_and_set_ups_by_sequence_are_in_the_data() -> None:
    """By hand: a press open from 0 to 8 h; blue work has 1.5 h of set-up behind red, and stops for the night."""
    plan = press()
    data = json.loads(
        next(
            text
            for text in Page(gantt_page(plan, dispatch_by_rule(plan, RULES["FIFO"], False), None, None)).texts["script"]
            if text.startswith('{"shop"')
        )
    )
    (machine,) = data["shop"]["machines"]
    assert [8 * 3600, 24 * 3600] in machine["closed"]
    assert {row["operation"]: row.get("changeover") for row in data["rows"]} == {"r": None, "b": None, "b2": 5400}
