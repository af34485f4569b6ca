"""What the fuzzer once showed still holds, and a few new inputs each time; `make fuzz` tries
many."""

from __future__ import annotations

import logging
import os
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .drawing import Draw
from .running import CORPUS, kept, run
from .targets import TARGETS

SEED = os.environ.get("IMP_VERIFY_SEED", "0")
"""Of the whole run; a failure says it."""


@pytest.fixture(autouse=True)
def every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "imp_verify")


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_once_found_comes_out_as_it_did(name: str) -> None:
    """A line whose outcome is no failure came out so when it was kept, and does still."""
    target = TARGETS[name]
    corpus = kept(target)
    assert corpus, name
    for what, case in corpus:
        came = target.check(case)
        assert what.startswith("failed: ") or came == what, case


@pytest.mark.parametrize("name", TARGETS)
def test_new_inputs_keep_to_the_invariant(name: str) -> None:
    found = run(TARGETS[name], 100, SEED)
    assert found.failures == [], f"IMP_VERIFY_SEED={SEED}"


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60)
@given(random=st.randoms(use_true_random=False))
def test_inputs_that_hypothesis_chooses_keep_to_the_invariant(name: str, random: Random) -> None:
    """Slower than a seed, but a failure is made small."""
    target = TARGETS[name]
    target.check(target.draw(Draw(random.random)))


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_seed_draws_the_same_inputs(name: str) -> None:
    def drawn(seed: int) -> list[object]:
        draw = Draw(Random(seed).random)
        return [TARGETS[name].draw(draw) for _ in range(20)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_each_corpus_is_small_text_of_a_target_that_there_is() -> None:
    files = {path.stem: path.stat().st_size for path in CORPUS.iterdir()}
    assert files.keys() == TARGETS.keys()
    assert max(files.values()) < 64 * 1024


def test_each_invariant_is_a_sentence() -> None:
    for target in TARGETS.values():
        assert re.fullmatch(r"[A-Z].{30,}\.", target.invariant), target.name
