import os
from functools import partial

import pytest

from xtal_core import workers
from xtal_core.errors import OptionError, PluginError
from xtal_core.workers import available_cores, in_order


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
