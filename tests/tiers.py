"""Two tiers of tests: those of every run, and the `thorough` ones, which play a whole story and cost the most.

A plain run leaves the thorough ones out and says so at its end. In CI nothing may be skipped in either.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter
    from xdist.workermanage import WorkerController


class Tiers:
    """Counts what is left out, in the workers if there are any, and tells of it where the run ends."""

    def __init__(self, config: pytest.Config):
        self._config, self._left_out = config, 0

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Count the thorough ones, whatever else was not asked for."""
        self._left_out += sum(item.get_closest_marker("thorough") is not None for item in items)
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["left_out"] = self._left_out

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController) -> None:
        """Take a worker's count: all of them have the same."""
        self._left_out = getattr(node, "workeroutput", {}).get("left_out", self._left_out)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Say how to run what was left out, and why a run in CI failed that has no failed test."""
        if skipped := self._skipped_in_ci(terminalreporter):
            terminalreporter.write_line(f"CI=true: {skipped} skipped, each of which is a failure here (-rs lists them)")
        if self._left_out:
            terminalreporter.write_line(f"{self._left_out} thorough tests left out: uv run pytest -m thorough")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In CI a test that was skipped has failed."""
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter and self._skipped_in_ci(reporter):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @staticmethod
    def _skipped_in_ci(reporter: TerminalReporter) -> int:
        return len(reporter.stats.get("skipped", ())) if os.environ.get("CI") == "true" else 0
