"""A device is compared with the CPU before anything is asked of it, and one that lies is found out."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.cli.main import main, train_main
from jaxshop.env import JobShop
from jaxshop.policies.rules import RULES
from jaxshop.policies.selftest import Finding, compare, selftest, trust_device
from jaxshop.policies.selftest.compare import Side, Work
from jaxshop.policies.selftest.playing import POLICY, Played, Roles
from jaxshop.policies.selftest.shops import SHOPS
from jaxshop.support.errors import DeviceError
from tests.trained import run, run_train, write_tiny


@dataclass(frozen=True)
class Lying(JobShop):
    """What one GPU made of the choice of a machine: the last one, at every step."""

    def advance(self, key, state, action, params):
        """As it is, but for the machine."""
        state, *rest = super().advance(key, state, action, params)
        return state._replace(machine=jnp.full_like(state.machine, self.shape.machines - 1)), *rest


@pytest.fixture(scope="module")
def cpu():
    """The CPU's side, with its programs."""
    return Side(jax.devices("cpu")[:1])


def test_a_device_that_computes_alike_agrees(cpu):
    """Shows a case for random words, rules and policy, of which each agrees; logits are apart by nothing."""
    findings = list(selftest(short=True, limit=0, here=cpu, there=cpu))
    assert [f.case for f in findings] == [
        f"flexible, equal times, active, vmapped, {who}" for who in ("random words", "every rule", "policy")
    ]
    assert all(f.agrees and f.logits == 0 for f in findings)


def test_a_device_that_lies_is_named(cpu):
    """Shows that a fault planted in one function of the environment is found, with the case and the first number."""
    side = Side(jax.devices("cpu")[:1])

    def liar(work: Work, roles: Roles) -> Played:
        return side(work._replace(env=Lying(work.env.shape, work.env.non_delay)), roles)

    findings = list(selftest(short=True, limit=0, here=liar, there=cpu))
    assert [f.agrees for f in findings] == [False, False, False]
    assert findings[0].case == "flexible, equal times, active, vmapped, random words"
    assert findings[0].detail.startswith("machine[1, 0] is 5, on the CPU ")


def wrong_rule(played: Played, roles: Roles) -> Played:
    """A start is late where SPT plays, in the final state alone."""
    start = played.state.schedule.start.copy()
    start[np.flatnonzero(roles.player == 1)[0], 3] += 1
    return played._replace(state=played.state._replace(schedule=played.state.schedule._replace(start=start)))


def wrong_logits(played: Played, roles: Roles) -> Played:
    """One logit of the policy is off by a twentieth of the largest."""
    logits = played.logits.copy()
    place = 2, np.flatnonzero(roles.player == POLICY)[0], 0
    logits[place] += 0.05 * max(1.0, np.abs(logits[place[:2]][played.candidate_mask[place[:2]]]).max())
    return played._replace(logits=logits)


def no_logits(played: Played, roles: Roles) -> Played:
    """Logits that are no numbers."""
    return played._replace(logits=np.full_like(played.logits, np.nan))


@pytest.mark.parametrize(
    ("fault", "case", "detail"),
    [
        (wrong_rule, "every rule", "by SPT"),
        (wrong_logits, "policy", "logits differ by 0.05"),
        (no_logits, "random words", "logits differ by nan"),
    ],
)
def test_each_kind_of_fault_is_told(cpu, fault, case, detail):
    """Shows a start that differs in the final state alone, logits beyond the tolerance, and such as are no numbers."""
    findings = list(selftest(short=True, limit=0, here=lambda work, roles: fault(cpu(work, roles), roles), there=cpu))
    first = next(f for f in findings if not f.agrees)
    assert first.case.endswith(case)
    assert detail in first.detail


def nothing(work: Work, roles: Roles) -> Played:
    """Plays nothing, at once."""
    steps, count = work.env.shape.operations, roles.player.size
    zeros = np.zeros((steps, count), np.int32)
    mask = np.ones((steps, count, 2), bool)
    return Played(zeros, zeros, zeros, mask, zeros[..., None], mask, mask.astype(np.float32), {})


def test_the_whole_form_plays_everything():
    """Shows every shop in every layout by every player, and non-delay; the plant's also with machines passed over."""
    cases = {finding.case for finding in selftest(here=nothing, there=nothing)}
    layouts = ("active, vmapped", "active, environments last", "active, sharded", "non-delay, vmapped")
    players = ("random words", "every rule", "policy")
    played = [(shop, layout) for shop in SHOPS for layout in layouts]
    played.append(("closed time, set-ups, lags and fixed work", "passing machines over, vmapped"))
    assert cases == {f"{shop}, {layout}, {player}" for shop, layout in played for player in players}


def test_every_rule_and_every_shop_plays():
    """Shows that the roles of an environment hold each rule and each of the stacked shops, shared evenly by devices."""
    for work in compare._works(compare._player(), short=True):
        roles = compare._roles(work, several=3)
        assert roles.player.size % 3 == 0
        assert set(roles.player.tolist()) == set(range(2 + len(RULES)))
        assert set(roles.shop.tolist()) == set(range(work.params.operations.size))


def told(*agree: bool) -> list[Finding]:
    """Findings as a self-test yields them."""
    return [
        Finding(f"case {i}", each, "" if each else "start[0] is 1, on the CPU 2", 0.0 if each else float("inf"), 0.1)
        for i, each in enumerate(agree)
    ]


@pytest.mark.parametrize("agree", [(True, True), (True, False)])
def test_command_tells_each_case(agree, monkeypatch, capsys):
    """Shows exit code 0 or 1, a line a case, and one JSON object."""
    monkeypatch.setattr("jaxshop.policies.selftest.selftest", lambda: iter(told(*agree)))
    code = 0 if all(agree) else 1
    assert main(["selftest"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == ["case 0", "case 1"]
    assert ("DIFFERS: start[0] is 1" in lines[1]) == (not all(agree))
    result = run("selftest", "--json")
    assert (result.code, result.json["agrees"]) == (code, all(agree))
    assert [case["agrees"] for case in result.json["cases"]] == list(agree)


@pytest.fixture
def lying_gpu(monkeypatch):
    """A device that is no CPU, and does not compute what one does."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(compare, "selftest", lambda short, limit: iter(told(True, False)))


@pytest.mark.usefixtures("lying_gpu")
def test_a_device_that_lies_ends_training(tmp_path):
    """Shows exit code 1 and one line that names the case, before a run folder is made."""
    with pytest.raises(DeviceError, match="case 1: start"):
        trust_device()
    result = run_train("--config", write_tiny(tmp_path))
    assert result.code == 1
    assert "does not compute what the CPU does: case 1: start[0] is 1, on the CPU 2" in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_cpu_is_not_compared_with_itself(monkeypatch):
    """Shows that nothing is played at the start of a program on a CPU."""
    monkeypatch.setattr(compare, "selftest", lambda short, limit: 1 / 0)
    trust_device()
    assert train_main(["--config", "nowhere.toml"]) == 2
