"""The processes of a trial: what becomes of one that hangs, and of the one that starts them."""

import os
import signal
import sys
import threading
from types import ModuleType
from typing import Any

import pytest

from imp_verify import ExpectedPayment
from imp_verify.testing._harness import FIRST, ORDER, PRICE, paid_outcome
from imp_verify.testing._processes import Ended, Meeting, _nurseries, run_elsewhere
from imp_verify.testing._shop import CRASHED
from tests.storage.shops import MemoryShop


def answer(meeting: Meeting) -> None:
    meeting.wait_for_the_others()
    meeting.answer(os.getppid())


def hang(meeting: Meeting) -> None:
    _ = threading.Event().wait()


def kill_the_parent(meeting: Meeting) -> None:
    os.kill(os.getppid(), signal.SIGKILL)


def die_in_the_work(meeting: Meeting) -> None:
    shop = MemoryShop()
    shop.crash_next()
    shop.put(ExpectedPayment(ORDER, PRICE))
    shop.store.settle(paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE)))
    meeting.answer("it lives")


def test_processes_meet_and_answer_and_have_one_parent() -> None:
    one, other = run_elsewhere(answer, answer)
    assert one.status == other.status == 0
    assert one.answers == other.answers
    assert one.answers != (os.getpid(),)


def test_a_process_that_hangs_is_killed() -> None:
    assert run_elsewhere(hang, patience=0) == [Ended(-signal.SIGKILL, ())]


def test_a_shop_that_dies_in_its_work_ends_its_process_as_the_trial_expects() -> None:
    assert run_elsewhere(die_in_the_work) == [Ended(CRASHED, ())]


def test_work_of_a_module_that_is_found_here_only_says_so_and_spoils_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here: Any = ModuleType("a_file_that_only_pytest_imports")
    exec("def work(meeting): pass", vars(here))
    monkeypatch.setitem(sys.modules, here.__name__, here)
    [before] = run_elsewhere(answer)
    with pytest.raises(AssertionError, match=r"cannot be opened(.|\n)*a_file_that_only_pytest"):
        _ = run_elsewhere(here.work)
    [after] = run_elsewhere(answer)
    assert after == before


def test_another_is_started_where_the_one_that_starts_them_died() -> None:
    [before] = run_elsewhere(answer)
    with pytest.raises(AssertionError, match="has died"):
        _ = run_elsewhere(kill_the_parent)
    [after] = run_elsewhere(answer)
    assert after.status == 0
    assert after.answers != before.answers


def test_another_is_started_where_it_died_between_two_trials() -> None:
    [before] = run_elsewhere(answer)
    os.kill(before.answers[0], signal.SIGKILL)
    _nurseries[os.getpid()].process.join()
    [after] = run_elsewhere(answer)
    assert after.answers != before.answers
