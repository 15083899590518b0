"""How commands refuse bad input."""

from __future__ import annotations

from tests.trained import Result


def assert_refused(result: Result, *said: str) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that says all of `said`."""
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1, result.err
    for words in said:
        assert words in result.err
