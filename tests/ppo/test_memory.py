"""What experience takes of a device's memory, counted from shapes, and what is said where that is too much."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import jax
import pytest

from jaxshop.cli.main import main
from jaxshop.ppo.memory import environments_that_fit, episode_bytes, experience_bytes
from jaxshop.ppo.rollout import collect
from jaxshop.support.settings import ConfigError
from jaxshop.training import stages
from jaxshop.training.stages import check_memory
from tests.profiling.test_budget import small_update
from tests.trained import run_train, write_tiny

OOM = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 99 bytes"


@pytest.fixture(scope="module")
def update():
    """A small update's setup and its arguments."""
    step, arguments, _ = small_update()
    return step.args[0], arguments


def test_experience_is_what_a_rollout_gives(update):
    """Shows the bytes of the very arrays that a rollout returns, and of noise, advantage, target and weight."""
    setup, (learner, bank) = update
    transitions, _ = jax.eval_shape(partial(collect, setup), learner.weights, bank, learner.key)
    given = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(transitions))
    decisions = transitions.action.size
    assert experience_bytes(setup) == given + decisions * 4 * (3 + setup.env.shape.candidates)


def test_fewer_environments_fit_into_less(update):
    """Shows half of the memory for experience, and the rest for the passes over a minibatch."""
    setup, _ = update
    each = episode_bytes(setup.env, setup.network)
    assert environments_that_fit(setup, 20 * each) == 10


def test_a_stage_that_cannot_fit_is_refused_before_anything_is_written(update, monkeypatch):
    """Shows one line with how many environments would fit, from the device's own limit; without one, nothing."""
    setup, _ = update
    monkeypatch.setattr(stages, "memory_limit", lambda: None)
    check_memory({"general": setup})
    monkeypatch.setattr(stages, "memory_limit", lambda: experience_bytes(setup) - 1)
    with pytest.raises(ConfigError, match=r"general: 8 environments are too many .*; about 3 would fit: lower general"):
        check_memory({"general": setup})
    check_memory({"general": replace(setup, mesh=SimpleNamespace(size=2))})


def test_a_device_that_runs_out_of_memory_ends_training_in_one_line(tmp_path, monkeypatch):
    """Shows exit code 2, how many environments would fit, and no run folder left behind."""

    def update(*arguments):
        raise jax.errors.JaxRuntimeError(f"{OOM}\nand a long list of buffers")

    monkeypatch.setattr(stages, "jitted_update", lambda setup: update)
    monkeypatch.setattr("jaxshop.training.launch._compile_ahead", lambda *arguments: {})
    result = run_train("--config", write_tiny(tmp_path), "--json")
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1].startswith("error: general: 64 environments are too many for the memory of a ")
    assert "about 32 would fit" in result.err
    assert not list((tmp_path / "runs").iterdir())


def test_other_commands_tell_too_little_memory_in_one_line(monkeypatch, capsys):
    """Shows exit code 2 and XLA's first line alone."""

    def failing(argv):
        raise jax.errors.JaxRuntimeError(f"{OOM}\nand a long list of buffers")

    monkeypatch.setattr(sys.modules["jaxshop.cli.main"], "_run_command", failing)
    assert main(["selftest"]) == 2
    assert capsys.readouterr().err == f"error: the device's memory is too small: {OOM}\n"
