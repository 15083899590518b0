"""The error for bad input with the collector of every fault in it, and those for wrong and late answers."""

from __future__ import annotations

from collections.abc import Callable


class ShopError(ValueError):
    """Bad input: one line that says what, where and what to do; `faults` holds every fault found."""

    def __init__(self, faults: str | list[str]):
        self.faults = [_one_line(fault) for fault in ([faults] if isinstance(faults, str) else faults)]
        more = len(self.faults) - 1
        super().__init__(self.faults[0] + (f" (and {more} more fault{'s' * (more > 1)})" if more else ""))


class InvalidScheduleError(Exception):
    """A schedule of ours that the verifier refuses: a fault of the program or the device, never of the input."""


class DeviceError(Exception):
    """A device that does not compute what the CPU does: nothing that it says can be trusted."""


class LateError(Exception):
    """There was no answer by the deadline."""


def _one_line(text: str) -> str:
    """Escape what would break the line or the terminal; ids and keys come from anywhere."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Faults:
    """Faults by path: of one wrong place, only the first message about it or its parent is kept.

    `locate` says where a path is, for what people know under another name than its path.
    """

    def __init__(self, where: str, locate: Callable[[str], str] = str):
        self.where, self.locate = where, locate
        self.messages: dict[str, str] = {}

    def add(self, path: str, message: str) -> None:
        """Record `message`, unless `path` or a part that contains it is known to be wrong."""
        parents = ["", *(path[:i] for i, mark in enumerate(path) if mark in ".[")]
        if self.messages.keys().isdisjoint([path, *parents]):
            self.messages[path] = message

    def raise_if_any(self) -> None:
        """Raise one ShopError that holds every fault as `where: path: message`."""
        if self.messages:
            faults = [(self.where, self.locate(path), message) for path, message in self.messages.items()]
            raise ShopError([": ".join(filter(None, fault)) for fault in faults])
