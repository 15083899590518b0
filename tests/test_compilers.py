"""What compilers of other devices make of the public programs, as far as a CPU can tell."""

from __future__ import annotations

import re
from unittest import mock

import jax
import jax.numpy as jnp
import pytest

from jaxshop.env import decision, make
from jaxshop.env.backends import least
from tests.jaxprs import negations
from tests.programs import further_programs, public_programs
from tests.shops import random_shop

WHOLE_NEGATION = re.compile(r"stablehlo\.negate .*tensor<(\d+x)*i\d+>")


@pytest.mark.thorough
@pytest.mark.usefixtures("ranks_meet")
@pytest.mark.parametrize("programs", [public_programs, further_programs])
def test_no_integer_negation_reaches_a_minimum_or_maximum(programs):
    """Shows that GPU compilers, which lose such a sign, are given none: every schedule was invalid once."""
    found = {name: negations(function, *arguments) for name, (function, arguments) in programs().items()}
    assert not {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize(
    "guilty",
    [
        lambda x: -jnp.min(-x),
        lambda x: jnp.maximum(0 - x, 3),
        lambda x: jnp.argmin(-1 * x),
        lambda x: jnp.sort(jnp.where(x > 2, x, -x).reshape(2, 3)),
        lambda x: jax.lax.scan(lambda c, y: (-y, jnp.maximum(c, 0)), x[0], x),
        lambda x: jax.lax.cond(x[0] > 0, lambda y: -y, lambda y: y, x).max(),
        lambda x: jax.lax.while_loop(lambda c: c[0].max() < 3, lambda c: (c[1], -c[1]), (x, x)),
        lambda x: jax.vmap(jax.jit(lambda y: jnp.clip(-y, 0, 9)))(x),
        lambda x: jax.lax.top_k(-x, 2),
    ],
)
def test_the_guard_finds_negations(guilty):
    """Shows that each way for a negation to reach a minimum, maximum or sort is found, through loops and branches."""
    assert negations(guilty, jnp.arange(6))


def test_the_guard_finds_the_negation_that_made_every_schedule_invalid():
    """Shows that a maximum written as the negative of the least negative, in the choice of a machine, is found."""
    env, params = make(random_shop(0, jobs=4))
    state = jax.eval_shape(env.begin, jax.random.key(0), params)
    with mock.patch.object(decision, "greatest", lambda values: -least(-values)):
        assert negations(lambda state: env.advance(None, state, jnp.int32(0), params), state)


@pytest.mark.parametrize(
    "innocent",
    [
        lambda x: -x.max(),
        lambda x: (~x).max(),
        lambda x: jnp.maximum(3 - x, 0),
        lambda x: (-1.0 * x.astype(jnp.float32)).max(),
    ],
)
def test_the_guard_lets_others_pass(innocent):
    """Shows that a negation after a maximum, a complement, a difference and floats are no finding."""
    assert not negations(innocent, jnp.arange(6))


@pytest.mark.thorough
@pytest.mark.usefixtures("ranks_meet")
@pytest.mark.parametrize("programs", [public_programs, further_programs])
def test_no_program_converts_numbers_unsaid(programs):
    """Shows that no bool or integer becomes a float, and none becomes another, but where the code says so."""
    assert jax.config.jax_numpy_dtype_promotion == "strict"
    for function, arguments in programs().values():
        function.trace(*arguments)


@pytest.mark.thorough
@pytest.mark.usefixtures("ranks_meet")
@pytest.mark.parametrize("programs", [public_programs, further_programs])
def test_programs_are_lowered_for_gpus_and_tpus(programs):
    """Shows that nothing in a program is for CPUs alone, and that lowering brings no integer negation of its own."""
    for name, (function, arguments) in programs().items():
        exported = jax.export.export(function, platforms=["cuda", "tpu"])(*arguments)
        assert exported.platforms == ("cuda", "tpu"), name
        assert not WHOLE_NEGATION.search(exported.mlir_module()), name
