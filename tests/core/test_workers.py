import os
import time
from functools import partial

import pytest

from xtal_core import workers
from xtal_core.errors import OptionError, PluginError
from xtal_core.workers import SideWorkers, available_cores, in_order


def work(expression):
    """Return a function that makes the work of `expression`, a lambda as text: both ways of starting can send it."""
    return partial(eval, expression)


SQUARE_AND_PROCESS = work("lambda chunk: (chunk**2, __import__('os').getpid())")


@pytest.fixture(params=["spawn", "fork"])
def every_chunk_by_workers(request, monkeypatch):
    monkeypatch.setattr(workers, "START_METHOD", request.param)
    monkeypatch.setattr(workers, "TRIAL", -1.0)
    monkeypatch.setattr(workers, "WORTHWHILE", -1.0)


def test_short_work_stays_in_this_process():
    results = list(in_order(SQUARE_AND_PROCESS, range(30), jobs=2, owner="me"))
    assert results == [(n**2, os.getpid()) for n in range(30)]


def test_long_work_goes_to_workers_and_stays_in_order(every_chunk_by_workers):
    results = list(in_order(SQUARE_AND_PROCESS, range(30), jobs=2, owner="me"))
    assert [square for square, _ in results] == [n**2 for n in range(30)]
    others = {process for _, process in results} - {os.getpid()}
    assert len(others) in (1, 2)


def test_one_job_means_this_process(every_chunk_by_workers):
    assert {process for _, process in in_order(SQUARE_AND_PROCESS, range(5), jobs=1, owner="me")} == {os.getpid()}


def test_no_chunks_are_no_results():
    assert list(in_order(SQUARE_AND_PROCESS, [], jobs=2, owner="me")) == []


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("lambda chunk: chunk and __import__('os')._exit(1)", "plugin me: a worker process ended before its work"),
        ("lambda chunk: chunk and 1 / (chunk - chunk)", "plugin me: in a worker process: ZeroDivisionError"),
        ("lambda chunk: chunk and (lambda: chunk)", "plugin me: in a worker process: "),
    ],
)
def test_a_fault_in_a_worker_names_the_plugin(every_chunk_by_workers, expression, reason):
    with pytest.raises(PluginError, match=reason):
        list(in_order(work(expression), range(4), jobs=2, owner="me"))


def test_errors_for_the_user_pass_through_workers(every_chunk_by_workers):
    expression = (
        "lambda chunk: chunk and (_ for _ in ()).throw(__import__('xtal_core.errors').errors.OptionError('no'))"
    )
    with pytest.raises(OptionError, match=r"^no$"):
        list(in_order(work(expression), range(4), jobs=2, owner="me"))


def test_at_least_one_core_is_available():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


@pytest.fixture
def side_workers(monkeypatch):
    """Return side workers of two jobs that have started."""
    monkeypatch.setattr(workers, "TRIAL", -1.0)
    with SideWorkers(2, "me") as side:
        side.map(abs, [1, 2])
        while not side._ready():
            time.sleep(0.02)
        yield side


def squares(n):
    """Return chunks for `eval`, which take their time and tell who did them."""
    return [f"(__import__('time').sleep(0.03), {i}**2, __import__('os').getpid())[1:]" for i in range(n)]


def elsewhere(expression):
    """Return chunks for `eval` of which those that this process does not do are `expression`."""
    return [f"(__import__('time').sleep(0.1), __import__('os').getpid() == {os.getpid()} or {expression})"] * 6


def test_side_workers_take_over_a_part_and_results_stay_in_order(side_workers):
    results = side_workers.map(eval, squares(20))
    assert [square for square, _ in results] == [n**2 for n in range(20)]
    assert len({process for _, process in results}) == 2


def test_side_workers_do_not_start_for_short_work_or_one_job():
    for jobs in (1, 2):
        with SideWorkers(jobs, "me") as side:
            assert {process for _, process in side.map(eval, squares(3))} == {os.getpid()}
            assert side._pool is None


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("__import__('os')._exit(1)", "plugin me: a worker process ended before its work"),
        ("1 / 0", "plugin me: in a worker process: ZeroDivisionError"),
        ("(lambda: 0)", "plugin me: in a worker process: "),
    ],
)
def test_faults_in_side_workers_name_the_plugin(side_workers, expression, reason):
    with pytest.raises(PluginError, match=reason):
        side_workers.map(eval, elsewhere(expression))


def test_errors_for_the_user_pass_through_side_workers(side_workers):
    raising = (
        "(_ for _ in ()).throw(__import__('xtal_core.errors').errors.OptionError('no such device', 'give another'))"
    )
    with pytest.raises(OptionError, match="no such device"):
        side_workers.map(eval, elsewhere(raising))
