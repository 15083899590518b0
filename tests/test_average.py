"""The mean of policies, as `benchmarks/average.py` writes it."""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxshop.policies.checkpoint import export_policy, load_policy
from jaxshop.policies.registry import NetworkConfig, make_network

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def average(monkeypatch: pytest.MonkeyPatch):
    """The script's `main` for these arguments."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import average as script

    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["average.py", *map(str, arguments)])
        script.main()

    return run


def test_a_mean_lies_half_way_and_lists_what_both_have_seen(average, tmp_path: Path):
    """Shows weights half way between the shipped ones and others, and each of the shops of both named once."""
    shipped = load_policy()
    more = {"kind": "shop", "name": "another"}
    meta = {**shipped.meta, "trained_on": [*shipped.meta["trained_on"], more]}
    export_policy(jax.tree.map(lambda x: x + 1, shipped.weights), meta, tmp_path / "other")
    average(tmp_path / "mean", "shipped", tmp_path / "other")
    mean = load_policy(tmp_path / "mean")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(b, a + 0.5, atol=1e-6), shipped.weights, mean.weights)
    assert mean.meta["trained_on"] == meta["trained_on"]
    assert [name.split()[0] for name in mean.meta["averaged_from"]] == ["shipped", str(tmp_path / "other")]


def test_unlike_networks_have_no_mean(average, tmp_path: Path):
    """Shows one line, and nothing written."""
    shipped = load_policy()
    config = {**shipped.meta["config"], "network": {**shipped.meta["config"]["network"], "width": 8}}
    narrow = jax.jit(make_network(NetworkConfig(kind="gated", width=8)).initialise)(jax.random.key(0))
    export_policy(narrow, {**shipped.meta, "config": config}, tmp_path / "narrow")
    with pytest.raises(SystemExit, match="unlike networks"):
        average(tmp_path / "mean", "shipped", tmp_path / "narrow")
    assert not (tmp_path / "mean").exists()
