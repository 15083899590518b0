"""Text files in and out: strict JSON, atomic writes, and one clean `ShopError` for whatever goes wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from jaxshop.support.errors import ShopError

STATE_DIR = "JAXSHOP_STATE_DIR"


def state_folder() -> Path:
    """Where what lasts between runs is kept: `JAXSHOP_STATE_DIR`, else where the system wants a program's state.

    Raises:
        ShopError: there is no home folder.
    """
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        return Path(os.environ.get(STATE_DIR) or f"{state}/jaxshop").expanduser()
    except RuntimeError:
        raise ShopError(f"there is no home folder; set {STATE_DIR}") from None


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Write bytes, or a text as UTF-8, so that `path` holds either its old content or all of the new, come what may.

    Raises:
        ShopError: the folder is missing or `path` cannot be written; nothing is left behind.
    """
    target = check_writable(path)
    with clean_errors(str(path)):
        # In the same folder, since only a rename within one file system is atomic.
        temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.tmp")
        try:
            with temporary.open("xb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def check_writable(path: str | Path) -> Path:
    """Return the file that `write_atomic` would write, a link followed; refuse early what it would refuse.

    Raises:
        ShopError: the folder is missing, or something other than a file is in the way.
    """
    with clean_errors(str(path)):
        target = Path(path).resolve()  # a link stays a link
        if not target.parent.is_dir():
            raise ValueError(f"the folder {Path(path).parent} does not exist")
        if target.exists() and not target.is_file():
            raise ValueError("is not a regular file")
        return target


def make_folder(path: str | Path) -> None:
    """Make a folder, with those above it, unless it is there, and find out that files can be written in it.

    Raises:
        ShopError: it cannot be made, or nothing can be written there.
    """
    with clean_errors(f"{path}: is no folder to write in"):
        Path(path).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path):  # whatever the rights say: who asks may be root
            pass


def check_outputs(written: Iterable[str | Path | None], read: Iterable[str | Path | None]) -> None:
    """Refuse, before anything is done, what could not be written, or would be written over; None is no file.

    Args:
        written: files that will be written.
        read: what is read, files or other names of a shop.

    Raises:
        ShopError: names the file that cannot be written, is read as well, or is to hold two things.
    """
    inputs, targets = set(), set()
    for path in (name for name in read if name):
        with clean_errors(str(path)):
            inputs.add(Path(path).resolve())
    for path in (name for name in written if name):
        target = check_writable(path)
        if target in inputs:
            raise ShopError(f"{path}: is read, so nothing is written there; name another file to write")
        if target in targets:
            raise ShopError(f"{path}: two results would be written there; name a file for each")
        targets.add(target)


def read_text(path: str | Path) -> str:
    """Return a UTF-8 file's text, without a byte-order mark; raises ShopError naming the file."""
    with clean_errors(str(path)):
        return Path(path).read_text(encoding="utf-8-sig")


def read_rows(path: str | Path) -> tuple[list[str], list[tuple[int, dict[str, Any]]]]:
    """Return a CSV file's header, and each row by it, with its last line; raises ShopError naming the file."""
    rows = csv.DictReader(io.StringIO(read_text(path)))
    try:
        return list(rows.fieldnames or ()), [(rows.line_num, row) for row in rows]
    except csv.Error as error:
        raise ShopError(f"{path}: line {rows.reader.line_num}: not valid CSV: {error}") from None


def read_bytes(path: str | Path) -> bytes:
    """Return a file's content; raises ShopError naming the file."""
    with clean_errors(str(path)):
        return Path(path).read_bytes()


def read_json(path: str | Path) -> Any:
    """Decode a JSON file as strictly as `parse_json`."""
    return parse_json(read_text(path), str(path))


def parse_json(text: str, where: str) -> Any:
    """Decode JSON; duplicate keys and NaN or Infinity, which Python's reader lets through, are refused.

    Raises:
        ShopError: names `where`, with line and column where the text stops being JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno} column {error.colno}"
        ends = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        cut = " (is the file cut short?)" if ends else ""
        raise ShopError(f"{where}: {at}: not valid JSON: {error.msg}{cut}") from None
    except RecursionError:
        raise ShopError(f"{where}: not valid JSON: nested too deeply") from None
    except ValueError as error:  # a refusal of our own, or an integer of thousands of digits
        raise ShopError(f"{where}: not valid JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return decoded


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


@contextmanager
def clean_errors(where: str, kind: type[ShopError] = ShopError) -> Iterator[None]:
    """Turn what the file system and the decoder raise into one line that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise kind(f"{where}: not UTF-8 text (byte {error.start})") from None
    except UnicodeEncodeError:
        raise kind(f"{where}: the text holds characters that UTF-8 cannot write") from None
    except OSError as error:
        raise kind(f"{where}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:  # our own words, or a NUL byte in the path
        raise kind(f"{where}: {error}") from None
