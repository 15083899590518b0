"""What is trained on, chooses, compares policies and is evaluated on is drawn from streams that never meet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from jaxshop.shop import fingerprint
from jaxshop.sources import distribution, families, generator, load_shop, plant, reference
from jaxshop.sources.distribution import MAKES
from jaxshop.sources.families import EVALUATION_SEEDS, FAMILIES, LARGE, MAX_SEED
from jaxshop.sources.plant import PLANT_VERSION
from jaxshop.training.config import SEED, BankConfig, PoolConfig
from jaxshop.training.shops import (
    FULL,
    MIX,
    SELECTION,
    SMALL,
    VALIDATION,
    VALIDATION_SEED,
    ShopOrder,
    plans_of,
    seed_words,
)

EVALUATED = [
    *(f"family:{name}:{seed}" for name in FAMILIES for seed in EVALUATION_SEEDS),
    *(f"family:large:{seed}" for seed in range(len(LARGE))),
    *("reference", *(f"reference:{k}" for k in range(1, len(reference._SEEDS)))),
    *(f"{rules}:reference:{seed}" for rules in ("plant", "plant-due") for seed in range(3)),
]
PURPOSES = (SMALL, SELECTION, FULL, MIX, VALIDATION)
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

    plans_of.cache_clear()
    monkeypatch.setattr(np.random, "default_rng", recorded)
    yield seen
    plans_of.cache_clear()


def order(purpose: int, seed: int, makes: tuple[str, ...]) -> ShopOrder:
    """Two shops of each make, or of the reference's make where there is none."""
    pool = BankConfig(makes, count=2 * len(makes), operations=40, kept=2) if makes else PoolConfig(2, 18, 20)
    return ShopOrder(pool, purpose, seed, 8)


def drawn_by(purpose: int, run: int, index: int, make: str) -> Words:
    """The words of a generated shop; make "": of the reference's make, from a pool."""
    return entropy([*seed_words(order(purpose, run, (make,) if make else ()), index), *make.encode()])


def test_streams_are_told_apart_by_their_words(asked: list[Words]):
    """Evaluation shops ask for (seed), (seed, name) or (seed, 1); others for (purpose, run, index, make)."""
    shops = [families.family_shop(name, 3) for name in FAMILIES]
    reference.reference_shop(1)
    plant.plant_shop(shops[-1], 2, due=True)
    assert asked == [*((3, *name.encode()) for name in FAMILIES), (reference._SEEDS[1],), (2, PLANT_VERSION)]
    asked.clear()
    small = [make for make in MAKES if not make.endswith("factory")]
    for purpose in (MIX, SELECTION):
        plans_of(order(purpose, 7, tuple(small)))
    plans_of(order(SMALL, 7, ()))
    assert set(asked) == {
        *(entropy([SELECTION, 7, i, *make.encode()]) for make in small for i in range(2)),
        *(entropy([MIX, 7, i, *small[i % len(small)].encode()]) for i in range(2 * len(small))),
        *(entropy([SMALL, 7, i]) for i in range(2)),
    }


USES = st.tuples(
    st.sampled_from(PURPOSES),
    st.integers(0, MOST) | st.sampled_from([PLANT_VERSION, VALIDATION_SEED]),
    st.integers(0, MOST) | st.just(0),
    st.sampled_from(["", *MAKES]),
)
"""Purpose, seed of the run, index and make."""


@given(use=USES, name=st.sampled_from([*FAMILIES, "large"]), seed=st.integers(0, MAX_SEED))
@example(use=(SELECTION, PLANT_VERSION, 0, ""), name="flow", seed=SELECTION)
def test_no_run_can_draw_an_evaluation_shop(use: tuple[int, int, int, str], name: str, seed: int):
    """Whatever the seeds: not even where a run's seed and an index spell a family's first letters, or a plant."""
    purpose, _, _, make = use
    letters = list(name.encode())
    for words in (drawn_by(*use), drawn_by(purpose, *letters[:2], make)):
        assert words != entropy([seed, *letters])
        assert words != entropy([seed, PLANT_VERSION])
        assert words not in {entropy(each) for each in reference._SEEDS}


@given(one=USES, other=USES)
@example(one=(SELECTION, VALIDATION_SEED, 3, "flow"), other=(VALIDATION, VALIDATION_SEED, 3, "flow"))
@example(one=(SMALL, PLANT_VERSION, 0, ""), other=(SMALL, PLANT_VERSION, MOST, ""))
def test_no_two_uses_draw_the_same_shop(one: tuple[int, int, int, str], other: tuple[int, int, int, str]):
    """Training, kept and validation shops differ in their words wherever purpose, run, index or make do."""
    assume(one != other)
    assert drawn_by(*one) != drawn_by(*other)


def test_shops_that_figures_rest_on_are_drawn_as_ever():
    """Validation shops keep the words of before they had their own, and so does every run but for two seeds."""
    assert seed_words(order(VALIDATION, VALIDATION_SEED, ("flow",)), 0) == [SELECTION, 1000, 0]
    assert seed_words(order(SELECTION, 0, ("flow",)), 0) == [SELECTION, 0, 0]
    assert seed_words(order(SMALL, 0, ()), 0) == [SMALL, 0, 0]
    assert seed_words(order(MIX, 1, ("flow",)), 0) == [MIX, 1, 0]


def test_no_make_spells_the_rest_of_a_family():
    """Why that is so: three words stand before a make, one before a family's name, none after a sibling's."""
    assert SEED.holds(MOST)
    assert not SEED.holds(MOST + 1)
    assert entropy(MOST) == (MOST,)
    assert all(name[2:] not in ("", *MAKES) for name in (*FAMILIES, "large"))
    assert len(set(PURPOSES)) == len(PURPOSES)
    assert not set(PURPOSES) & set(reference._SEEDS)


@pytest.mark.thorough  # draws and fingerprints them all; that their words differ is shown above
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
