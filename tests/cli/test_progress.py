"""What a person sees while a search works, and how she ends it."""

from __future__ import annotations

import io
import re
import signal
import threading
import time
from dataclasses import replace

import pytest

from jaxshop.bounds import certify
from jaxshop.cli.progress import EVERY, Interrupt, ProgressLine, one_by_one
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search.proof import Watched
from jaxshop.search.types import Incumbent
from jaxshop.shop import split_lots
from jaxshop.shop.objective import PARTS, Objective
from tests.shops import ft06

PLAN = split_lots(ft06(), None)
CERTIFICATE = certify(PLAN)


def incumbent() -> Incumbent:
    """A rule's schedule."""
    name, schedule = best_rule(PLAN)
    return Incumbent(schedule, schedule.makespan, f"rule:{name}", 0.1, 1)


def test_the_line_says_best_bound_gap_source_and_time():
    """Shows the words with and without a schedule and a limit, in ticks and in hours."""
    line = ProgressLine(PLAN.shop, 10.0, time.monotonic() - 4)
    assert re.fullmatch(r"no schedule yet, (6\.0|5\.9) s left", line.text())
    line.watch(Watched(None, CERTIFICATE))
    assert line.text().startswith("no schedule yet")
    best = incumbent()
    line.watch(Watched(best, CERTIFICATE))
    gap = 100 * (best.cost / CERTIFICATE.value - 1)
    said = f"best {best.cost} ticks, {gap:.2f} % over the bound {CERTIFICATE.value} ticks, by {best.source}, "
    assert line.text().startswith(said)
    endless = ProgressLine(replace(PLAN.shop, unit="hours"), None, time.monotonic() - 4)
    endless.watch(Watched(best, CERTIFICATE))
    assert re.search(r"best 0\.\d\d h, .* h, by rule:\w+(/active)?, 4\.\d s$", endless.text())
    assert ProgressLine(PLAN.shop, 1.0, time.monotonic() - 4).text().endswith(", 0.0 s left")


def test_the_line_says_who_has_the_time_that_is_left():
    """Shows that where CP-SAT polishes what a search found it is named, with the seconds and the bar of both, also
    where the search ended before its limit or had none."""
    for limit, passed in ((2.0 + 6.0, 2.0), (30.0, 2.0), (None, 2.0)):
        line = ProgressLine(PLAN.shop, limit, time.monotonic() - passed)
        line.watch(Watched(incumbent(), CERTIFICATE))
        assert "CP-SAT" not in line.text()
        line.hand_on("CP-SAT", 6.0)
        assert re.search(r", (6\.0|5\.9) s left for CP-SAT$", line.text())
        assert line.bar().count("#") == 5


def test_the_line_is_about_the_objective():
    """Shows the bound of what is made small, where it once was that of the makespan: below it by -81 %, say."""
    line = ProgressLine(replace(PLAN.shop, objective=Objective(0.0, 1.0)), None, time.monotonic())
    for late, said in ((0, "best 10 ticks, by "), (8 * PARTS, "best 10 ticks, 25.00 % over the bound 8 ticks, by ")):
        line.watch(Watched(replace(incumbent(), cost=10), replace(CERTIFICATE, late=late)))
        assert line.text().startswith(said)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """As terminals do."""
        return True


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_only_a_terminal_is_written_to(monkeypatch, kind: type[io.StringIO]):
    """Shows lines in place of each other that are wiped at the end, and silence where stderr goes elsewhere."""
    stream = kind()
    monkeypatch.setattr("sys.stderr", stream)
    lines = 2 if kind is Terminal else 0
    watched, began = Watched(incumbent(), CERTIFICATE), time.monotonic()
    with ProgressLine(PLAN.shop, 10.0, began) as line:
        line.watch(watched)
        time.sleep(2.5 * EVERY)
        while stream.getvalue().count("\rbest ") < lines:
            assert time.monotonic() < began + 10
            time.sleep(0.01)
    shown = stream.getvalue()
    most = (time.monotonic() - began) / EVERY if kind is Terminal else 0
    assert lines <= shown.count("\rbest ") <= most
    assert "\n" not in shown
    assert shown.endswith("\r\x1b[K") == (kind is Terminal)


def test_the_bar_fills_with_the_time():
    """Shows that the bar is as full as the time is over, at most full, and that without a limit there is none."""
    passed = [ProgressLine(PLAN.shop, 10.0, time.monotonic() - seconds).bar() for seconds in (0, 5.01, 99)]
    assert [bar.count("#") for bar in passed] == [0, 10, 20]
    assert {len(bar) for bar in passed} == {22}
    assert ProgressLine(PLAN.shop, None, time.monotonic()).bar() == ""


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_items_one_by_one(monkeypatch, kind: type[io.StringIO]):
    """Shows a bar with names and notes on a terminal, silence elsewhere, and every item either way."""
    stream = kind()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    seen = []
    for item, tell in one_by_one(["ft06", "ft10"], str.upper):
        seen.append(item)
        tell(f"best of {item}")
    assert seen == ["ft06", "ft10"]
    assert ("2/2" in stream.getvalue()) == (kind is Terminal)
    assert ("FT10" in stream.getvalue()) == (kind is Terminal)


@pytest.mark.parametrize(
    ("told", "code"), [((signal.SIGINT,), 130), ((signal.SIGTERM, signal.SIGTERM), 143)], ids=["Ctrl-C", "timeout"]
)
def test_the_first_signal_is_a_wish_and_ctrl_c_then_an_order(told: tuple[signal.Signals, ...], code: int):
    """Shows that Ctrl-C once and SIGTERM, which `timeout` sends twice, are wishes, and that another Ctrl-C is none."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupt() as interrupt:
        assert (interrupt(), interrupt.code) == (False, 0)
        for number in told:
            signal.raise_signal(number)
        assert interrupt()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert interrupt.code == code


def test_another_thread_leaves_signals_alone():
    """Shows that a search off the main thread, as a server runs it, does not ask for Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def inside() -> None:
        with Interrupt() as interrupt:
            seen.extend((signal.getsignal(signal.SIGINT) == before, interrupt()))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [True, False]
