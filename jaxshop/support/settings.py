"""Settings as frozen dataclasses: built from nested mappings, overridden by `section.key=value`; no key is unknown."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import tomllib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from jaxshop.support.errors import ShopError

Settings = TypeVar("Settings")


class ConfigError(ShopError):
    """A config that cannot be used: one line that names the file and the key."""


@dataclasses.dataclass(frozen=True)
class Constraint:
    """What must hold of a setting; it stands beside the field: `Annotated[int, POSITIVE]`. None is always allowed."""

    holds: Callable[[Any], bool]
    complaint: str  # may name the `{value}`

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, if anything."""
        return None if value is None or self.holds(value) else self.complaint.format(value=repr(value))


POSITIVE = Constraint(lambda x: x > 0, "must be > 0")
NOT_NEGATIVE = Constraint(lambda x: x >= 0, "must be >= 0")
SHARE = Constraint(lambda x: 0 <= x <= 1, "must be from 0 to 1")

INT32 = 2**31 - 1
"""The largest number that compiled programs count to."""


def count(most: int = INT32, least: int = 1) -> Constraint:
    """How many of something that a program is made for."""
    return Constraint(lambda x: least <= x <= most, f"must be {'>' if least else '>='} 0 and at most {most}")


COUNT = count()
COUNT_OR_ZERO = count(least=0)


def each(constraint: Constraint) -> Constraint:
    """A list that is not empty and holds only such values."""

    def holds(values: Any) -> bool:
        return bool(values) and all(constraint.holds(value) for value in values)

    return Constraint(holds, f"must be a list, not empty, and each {constraint.complaint}")


def one_of(names: Iterable[str]) -> Constraint:
    """One of some names that are known when the program starts."""
    known = tuple(names)
    return Constraint(lambda x: x in known, f"must be one of {', '.join(known)}, not {{value}}")


def faults(settings: Any, path: str = "") -> list[str]:
    """What breaks the constraints of a dataclass and of those inside it, as `section.key: problem`."""
    found = []
    for key, hint in get_type_hints(type(settings), include_extras=True).items():
        value = getattr(settings, key)
        if dataclasses.is_dataclass(value):
            found += faults(value, f"{path}{key}.")
        found += [f"{path}{key}: {fault}" for fault in _broken(hint, value)]
    return found


def _broken(hint: Any, value: Any) -> Iterator[str]:
    for constraint in getattr(hint, "__metadata__", ()):
        if isinstance(constraint, Constraint) and (fault := constraint.fault(value)):
            yield fault


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Decode TOML; raises ConfigError, which names `where`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not valid TOML: {error}") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{where}: {_BEYOND}") from None


def merge(data: dict[str, Any], override: str) -> None:
    """Put one `section.key=value` into `data`; the value is TOML, or a plain word taken as a string."""
    name, equals, text = override.removeprefix("--").partition("=")
    *sections, key = name.replace("-", "_").split(".")
    if not (equals and sections and all(sections) and key):
        raise ConfigError(f"override {override!r}: write it as section.key=value")
    if text in ("none", "null"):
        value: Any = None
    else:
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        except (ValueError, RecursionError):
            raise ConfigError(f"override {name}: {_BEYOND}") from None
    for i, section in enumerate(sections):
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise ConfigError(f"{'.'.join(sections[: i + 1])}: must be a table")
    data[key] = value


def build(default: Settings, data: object, path: str = "") -> Settings:
    """The dataclass `default` with the values that a nested mapping gives; what is missing stays as it is.

    Args:
        data: of the keys of the dataclass, tables for the dataclasses inside it.
        path: what stands before each key in a message, `section.` say.

    Raises:
        ConfigError: a key is unknown (the nearest known one is named), or its value is of another type or breaks a
            constraint.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path.rstrip('.') or 'config'}: must be a table")
    hints = get_type_hints(type(default), include_extras=True)
    changes: dict[str, Any] = {}
    for key, value in data.items():
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1)
            hint = f", did you mean {path}{near[0]}?" if near else f", known are {', '.join(hints)}"
            raise ConfigError(f"{path}{key}: unknown key{hint}")
        current = getattr(default, key)
        if dataclasses.is_dataclass(current):
            changes[key] = build(current, value, f"{path}{key}.")
        else:
            try:
                changes[key] = _checked(value, hints[key], path + key)
            except ConfigError:
                raise
            except (ValueError, OverflowError, RecursionError):  # a hexadecimal may have any length
                raise ConfigError(f"{path}{key}: {_BEYOND}") from None
    return dataclasses.replace(default, **changes)  # type: ignore[type-var]


def _checked(value: Any, hint: Any, path: str) -> Any:
    """The value, if it is what the field declares."""
    if get_origin(hint) is Annotated:
        value = _checked(value, get_args(hint)[0], path)
        for fault in _broken(hint, value):
            raise ConfigError(f"{path}: {fault}")
        return value
    if get_origin(hint) is types.UnionType:
        if value is None or (isinstance(value, str) and value == "none"):
            return None
        hint = next(t for t in get_args(hint) if t is not type(None))
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{path}: must be a list, not {json.dumps(value, default=str)}")
        return tuple(_checked(item, get_args(hint)[0], f"{path}[{i}]") for i, item in enumerate(value))
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ConfigError(f"{path}: must be one of {', '.join(get_args(hint))}, not {value!r}")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{path}: must be {_NAMES[hint]}, not {json.dumps(value, default=str)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{path}: must be a finite number")
    return value


_BEYOND = "a number has too many digits, or lists are nested too deeply"
"""What Python's parsers and printers refuse in ways of their own."""

_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}
