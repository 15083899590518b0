"""Snapshots and real data: only what came out of the database, unchanged, counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jaxshop.shop import Provenance
from jaxshop.sources import load_shop
from jaxshop.sources.mariadb.reader import read_shop
from jaxshop.sources.snapshot import is_real_data, require_real_data, sign
from jaxshop.support.errors import ShopError


@pytest.fixture
def snapshot(loose, jaxshop, tmp_path) -> Path:
    """A signed snapshot of the loose tables."""
    path = tmp_path / "shop.json"
    ended = jaxshop("db", "snapshot", str(path), "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["out"] == str(path)
    return path


def edited(path: Path, *keys, value: object) -> Path:
    """Change one value of a shop file, in place."""
    data = entry = json.loads(path.read_text())
    for key in keys[:-1]:
        entry = entry[key]
    entry[keys[-1]] = value
    path.write_text(json.dumps(data))
    return path


def test_snapshot_is_real_data(snapshot: Path) -> None:
    """A snapshot equals the database's shop, and proves where it is from."""
    shop = load_shop(str(snapshot))
    require_real_data(shop)
    read = read_shop()
    assert replace(shop, provenance=read.provenance) == read


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("jobs", 0, "operations", 0, "alternatives", "M1"), 1.0),
        (("jobs", 0, "weight"), 3.0),
        (("provenance", "taken_at"), "2026-01-01T00:00:00Z"),
        (("provenance", "signature"), "0" * 64),
        (("provenance", "signature"), "möglich"),
        (("provenance", "signature"), None),
        (("provenance", "kind"), "file"),
    ],
)
def test_edited_snapshot_is_refused(snapshot: Path, keys: tuple, value: object) -> None:
    """Whatever the signature covers, or the signature itself, cannot be changed unseen."""
    shop = load_shop(str(edited(snapshot, *keys, value=value)))
    assert not is_real_data(shop)
    with pytest.raises(ShopError, match="require_real_data: shop_"):
        require_real_data(shop)


def test_another_key(snapshot: Path, monkeypatch) -> None:
    """A snapshot counts only where the key that signed it is set."""
    monkeypatch.setenv("JAXSHOP_SNAPSHOT_KEY", "quite another key")
    with pytest.raises(ShopError, match="is it the one that signed"):
        require_real_data(load_shop(str(snapshot)))
    monkeypatch.delenv("JAXSHOP_SNAPSHOT_KEY")
    with pytest.raises(ShopError, match="set JAXSHOP_SNAPSHOT_KEY"):
        require_real_data(load_shop(str(snapshot)))


def test_no_snapshot_without_a_key(loose, jaxshop, monkeypatch, tmp_path) -> None:
    """Without the key no file is written, since it would never count; a short key is refused too."""
    for key in ("", "short"):
        monkeypatch.setenv("JAXSHOP_SNAPSHOT_KEY", key)
        ended = jaxshop("db", "snapshot", str(tmp_path / "x.json"))
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert "JAXSHOP_SNAPSHOT_KEY" in ended.err
    assert not (tmp_path / "x.json").exists()


def test_no_read_for_a_file_that_cannot_be_written(loose, jaxshop, tmp_path) -> None:
    """Where the snapshot could not be written, one line says so and the database is not read."""
    ended = jaxshop("db", "snapshot", str(tmp_path / "nowhere" / "x.json"))
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "nowhere does not exist" in ended.err


def test_a_live_read_is_real_data_without_a_key(loose, monkeypatch) -> None:
    """What this process read itself counts; changed after the read, it does not."""
    monkeypatch.delenv("JAXSHOP_SNAPSHOT_KEY")
    shop = read_shop()
    require_real_data(shop)
    assert not is_real_data(replace(shop, jobs=shop.jobs[:1]))


def test_generated_shops_are_not_real() -> None:
    """The built-in shop is refused, and so is one that merely claims to be from the database."""
    shop = load_shop("reference")
    with pytest.raises(ShopError, match="its provenance is 'generated'"):
        require_real_data(shop)
    with pytest.raises(ShopError, match="without a signature"):
        require_real_data(replace(shop, provenance=Provenance("mariadb", taken_at="2026-11-23T06:00:00Z")))
    assert not is_real_data(sign(shop))
