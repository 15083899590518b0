"""What is trained on, what chooses a checkpoint and what is evaluated on are drawn from streams that never meet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxshop.shop import fingerprint
from jaxshop.sources import distribution, families, generator, load_shop, reference
from jaxshop.sources.distribution import MAKES
from jaxshop.sources.families import EVALUATION_SEEDS, FAMILIES, LARGE, MAX_SEED
from jaxshop.training.config import SEED, BankConfig, PoolConfig
from jaxshop.training.shops import FULL, MIX, SELECTION, SMALL, ShopOrder, _plans

EVALUATED = [
    *(f"family:{name}:{seed}" for name in FAMILIES for seed in EVALUATION_SEEDS),
    *(f"family:large:{seed}" for seed in range(len(LARGE))),
    *("reference", *(f"reference:{k}" for k in range(1, len(reference._SEEDS)))),
]
PURPOSES = (SMALL, SELECTION, FULL, MIX)
MOST = 2**31 - 1
"""The largest seed of a run: a single word, whatever the seed."""

Words = tuple[int, ...]


def entropy(seed: int | list[int]) -> Words:
    """The 32-bit words that NumPy makes a generator's state of, which takes zeros at the end for none."""
    words: list[int] = []
    for value in [seed] if isinstance(seed, int) else seed:
        words.append(value & 0xFFFFFFFF)
        while value := value >> 32:
            words.append(value & 0xFFFFFFFF)
    while words and words[-1] == 0:
        words.pop()
    return tuple(words)


@pytest.fixture
def asked(monkeypatch) -> Iterator[list[Words]]:
    """The words of every generator that a source of shops asks NumPy for."""
    seen: list[Words] = []
    make = np.random.default_rng

    def recorded(seed: int | list[int]) -> np.random.Generator:
        seen.append(entropy(seed))
        return make(seed)

    _plans.cache_clear()
    monkeypatch.setattr(np.random, "default_rng", recorded)
    yield seen
    _plans.cache_clear()


def order(purpose: int, seed: int, makes: tuple[str, ...]) -> ShopOrder:
    """Two shops of each make, or of the reference's make where there is none."""
    pool = BankConfig(makes, count=2 * len(makes), operations=40, kept=2) if makes else PoolConfig(2, 18, 20)
    return ShopOrder(pool, purpose, seed, 8)


def test_streams_are_told_apart_by_their_words(asked: list[Words]):
    """Evaluation shops ask for (seed) or (seed, name); all others for (purpose, seed of the run, index, make)."""
    for name in FAMILIES:
        families.family_shop(name, 3)
    reference.reference_shop(1)
    assert asked == [*((3, *name.encode()) for name in FAMILIES), (reference._SEEDS[1],)]
    asked.clear()
    small = [make for make in MAKES if not make.endswith("factory")]
    for purpose in (MIX, SELECTION):
        _plans(order(purpose, 7, tuple(small)))
    _plans(order(SMALL, 7, ()))
    assert set(asked) == {
        *(entropy([SELECTION, 7, i, *make.encode()]) for make in small for i in range(2)),
        *(entropy([MIX, 7, i, *small[i % len(small)].encode()]) for i in range(2 * len(small))),
        *(entropy([SMALL, 7, i]) for i in range(2)),
    }


@given(
    purpose=st.sampled_from(PURPOSES),
    run=st.integers(0, MOST),
    index=st.integers(0, MOST),
    make=st.sampled_from(["", *MAKES]),
    name=st.sampled_from([*FAMILIES, "large"]),
    seed=st.integers(0, MAX_SEED),
)
def test_no_run_can_draw_an_evaluation_shop(purpose: int, run: int, index: int, make: str, name: str, seed: int):
    """Whatever the seeds: not even where a run's seed and an index spell the first letters of a family's name."""
    letters = list(name.encode())
    for words in ([purpose, run, index], [purpose, *letters[:2]]):
        assert entropy([*words, *make.encode()]) != entropy([seed, *letters])


def test_no_make_spells_the_rest_of_a_family():
    """Why that is so: three words stand before a make, one before a family's name, none after a sibling's."""
    assert SEED.holds(MOST)
    assert not SEED.holds(MOST + 1)
    assert entropy(MOST) == (MOST,)
    assert all(name[2:] not in ("", *MAKES) for name in (*FAMILIES, "large"))
    assert len(set(PURPOSES)) == len(PURPOSES)
    assert not set(PURPOSES) & set(reference._SEEDS)


def test_what_was_drawn_is_none_of_the_evaluation_shops():
    """By fingerprint, of the first shops of every make and purpose."""
    evaluated = {fingerprint(load_shop(spec)) for spec in EVALUATED if "large:1" not in spec}
    drawn = [
        fingerprint(distribution.draw_shop([purpose, 0, index], make, 60))
        for purpose in (MIX, SELECTION)
        for make in MAKES
        for index in range(2)
    ]
    rng = np.random.default_rng([SMALL, 0, 0])
    drawn.append(fingerprint(generator.generate_shop(rng, generator.random_spec(rng, 18, 20))))
    assert len(set(drawn)) == len(drawn)
    assert not evaluated & set(drawn)
