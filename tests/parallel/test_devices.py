"""Devices that are not there, or do not start, are one line."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxshop.parallel import devices
from jaxshop.parallel.devices import out_of_memory, start_devices
from jaxshop.support.errors import ShopError


@pytest.fixture
def anew():
    """As if nothing had been started."""
    start_devices.cache_clear()
    yield
    start_devices.cache_clear()


def test_a_platform_that_is_not_there_is_one_line(monkeypatch):
    """Shows exit code 2 and the name, where JAX itself would go on with the CPU in silence."""
    monkeypatch.setenv("JAX_PLATFORMS", "cuda,cpu")
    command = [sys.executable, "-m", "jaxshop.cli", "selftest"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: JAX_PLATFORMS=cuda,cpu: there is no device of the platform cuda here, only cpu\n"


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("Unable to initialize backend 'nonsense'\nand more"), "Unable to initialize"),
        (AssertionError(), ""),
    ],
)
def test_what_jax_raises_of_a_platform_is_one_line(error, reason, monkeypatch):
    """Shows its first line, or its type where it says nothing; the CPU is asked for beside the others."""
    added = []

    def failing():
        raise error

    monkeypatch.setattr(devices, "_asked", lambda: "nonsense")
    monkeypatch.setattr(jax.config, "update", lambda *change: added.append(change))
    monkeypatch.setattr(jax, "devices", failing)
    with pytest.raises(ShopError, match=r"^JAX_PLATFORMS=nonsense: ") as raised:
        start_devices()
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert added == [("jax_platforms", "nonsense,cpu")]


@pytest.mark.usefixtures("anew")
def test_a_plugin_that_does_not_load_is_refused_beside_a_gpu(monkeypatch):
    """Shows its own reason in the line; where no GPU is, or none is installed, the CPU computes."""
    monkeypatch.setattr(devices, "_asked", lambda: "")
    asked = jax.devices

    def failing():
        try:
            raise RuntimeError("libcudart.so.13: cannot open\nmore lines")
        except RuntimeError:
            logging.getLogger("jax._src.xla_bridge").exception("Jax plugin configuration error: ...")
        return asked()

    monkeypatch.setattr(jax, "devices", failing)
    start_devices()
    start_devices.cache_clear()
    monkeypatch.setattr(devices, "_has_gpu", lambda: True)
    monkeypatch.setattr(devices, "_has_plugin", lambda: True)
    with pytest.raises(ShopError, match=r"does not load, and a GPU is here: libcudart.so.13: cannot open \(JAX"):
        start_devices()
    monkeypatch.setattr(devices, "_asked", lambda: "cuda,cpu")
    with pytest.raises(ShopError, match=r"of the platform cuda here, only cpu: libcudart.so.13: cannot open$"):
        start_devices()


def test_memory_that_is_too_small_is_told_from_other_errors():
    """Shows that only XLA's own word for it counts."""
    assert out_of_memory(jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9"))
    assert not out_of_memory(jax.errors.JaxRuntimeError("INTERNAL: no"))
    assert not out_of_memory(ValueError("RESOURCE_EXHAUSTED"))


def test_programs_are_kept_in_the_users_cache(tmp_path, monkeypatch):
    """Shows the folder; that nothing changes where one is named; that one is done without which cannot be made,
    or has no place as there is no home folder."""
    kept = {}
    monkeypatch.setattr(jax.config, "update", lambda name, value: kept.update({name: value}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    devices.keep_programs()
    assert not kept  # the tests name one
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.setattr(devices, "_named", lambda: None)
    devices.keep_programs()
    folder = kept.pop("jax_compilation_cache_dir")
    assert folder.startswith(str(tmp_path / "jaxshop" / "programs"))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    devices.keep_programs()
    assert not kept
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: Path("~nobody here").expanduser())  # as where the user has no entry
    devices.keep_programs()
    assert not kept
