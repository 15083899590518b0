"""Pictures of schedules and states: what they show, and that they are SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import split_lots
from jaxshop.views.picture import Bar, Picture, pixels, schedule_picture, state_picture, text
from tests.shops import HOSTILE, from_routes, ft06

SVG = "{http://www.w3.org/2000/svg}"


def titles(picture: str) -> list[str]:
    """What the bars of a picture say."""
    return [str(title.text) for title in ElementTree.fromstring(picture).iter(f"{SVG}title")]


def test_a_state_shows_what_is_dispatched():
    """An operation that has not begun has no bar; the same arrays in full are the schedule's own picture."""
    plan = split_lots(ft06(), None)
    rows = {row.operation: row for row in dispatch_by_rule(plan, RULES["MWKR"], True).rows}
    inside = [rows[op.id] for lot in plan.lots for op in lot.operations]
    start, end = (np.array([getattr(row, name) for row in inside]) for name in ("start", "end"))
    machine = np.array([int(row.machine.removeprefix("M")) for row in inside])
    whole = titles(state_picture(plan, start, end, machine, bound=55))
    assert sorted(whole) == sorted(titles(schedule_picture(plan, dispatch_by_rule(plan, RULES["MWKR"], True))))
    begun = titles(state_picture(plan, np.where(start < 20, start, -1), end, machine))
    assert begun == [f"{row.operation}, lot 1" for row in inside if row.start < 20]
    assert titles(state_picture(plan, np.full(36, -1), end, machine)) == []


def test_bars_lie_in_their_machine_s_row_in_the_order_of_time():
    """Bars of one machine do not overlap in the picture, and a name that looks like markup is text."""
    shop = from_routes([[{0: 3600}, {1: 7200}], [{0: 1800}]], 2)
    shop = type(shop)(**vars(shop) | {"jobs": shop.jobs, "name": HOSTILE, "unit": "hours"})
    plan = split_lots(shop, None)
    picture = schedule_picture(plan, dispatch_by_rule(plan, RULES["SPT"], False))
    bars = [bar for bar in ElementTree.fromstring(picture).iter(f"{SVG}rect") if len(bar)]
    rows = [(bar.get("y"), float(bar.get("x", 0)), float(bar.get("width", 0))) for bar in bars]
    first = sorted(row for row in rows if row[0] == "1")
    assert len(first) == 2
    assert first[0][1] + first[0][2] <= first[1][1] + 0.2
    assert "0 h" in picture


def test_text_and_pixels_show_the_same_bars():
    """Each cell shows the job that fills it most, past work stands left of 0, and an idle machine is empty."""
    bars = [Bar(0, 0, "", -87, 0), Bar(0, 1, "", 0, 87), Bar(1, 27, "", 43, 87)]
    picture = Picture(["a", "a machine of a long name", "idle"], bars, bound=87, ticks=True)
    first, second, idle, axis = text(picture).splitlines()
    cells = 87
    assert first == f"{'a':<12} " + "A" * (cells // 2 + 1) + "B" * (cells // 2)
    assert second == "a machine of " + "." * 65 + "b" * 22
    assert idle == f"{'idle':<12} " + "." * cells
    assert axis.startswith("ticks")
    assert [mark for mark in axis.split() if mark != "ticks"] == ["-50", "0", "50"]
    image = pixels(picture)
    rows = [{tuple(pixel) for pixel in row.tolist()} for row in image[[8, 24, 40]]]
    line = (185, 28, 28)
    assert [len(row - {line}) for row in rows] == [2, 2, 1]
    assert all(line in row for row in rows)
