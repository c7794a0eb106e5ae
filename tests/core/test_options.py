from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from xtal_core.errors import OptionError
from xtal_core.options import OptionDescription, build_options, describe_options, option, parse_settings


@dataclass(frozen=True)
class Options:
    """Options of every type there is."""

    cutoff: float = option(7.0, "where neighbours end", unit="Å", bounds=(0.5, 20.0))
    steps: int = option(100, "how many steps", bounds=(1, None))
    verbose: bool = option(False, "say more")
    kernel: Literal["text", "code"] = option("text", "which kernel")
    library: str | None = option(None, "a file")
    limit: int | None = option(5, "at most so many", bounds=(0, 9))


def build(**settings):
    return build_options("plugin", Options, settings)


def test_defaults_hold_when_nothing_is_set():
    assert build() == Options(7.0, 100, False, "text", None, 5)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("cutoff", "3.5", 3.5),
        ("cutoff", "4", 4.0),
        ("steps", "7", 7),
        ("verbose", "true", True),
        ("verbose", "No", False),
        ("kernel", "code", "code"),
        ("library", "a.sqlite", "a.sqlite"),
        ("library", "none", None),
        ("limit", "None", None),
        ("limit", "9", 9),
        ("cutoff", 20.0, 20.0),
        ("verbose", True, True),
    ],
)
def test_texts_and_values_become_the_declared_type(name, text, value):
    built = getattr(build(**{name: text}), name)
    assert built == value
    assert type(built) is type(value)


def test_hyphens_are_accepted_for_underscores():
    @dataclass(frozen=True)
    class Named:
        same_below: float = option(0.1, "threshold")

    assert build_options("plugin", Named, {"same-below": "0.2"}).same_below == 0.2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cutof", "1", "plugin has no option 'cutof'; did you mean 'cutoff'?"),
        ("xyz", "1", "its options are cutoff, kernel, library, limit, steps, verbose"),
        ("cutoff", "far", "plugin.cutoff is 'far'; give a value of type float"),
        ("cutoff", "0.4", "plugin.cutoff is 0.4; give a value from 0.5 to 20.0"),
        ("cutoff", "nan", "plugin.cutoff is not a number"),
        ("cutoff", "inf", "give a value from 0.5 to 20.0"),
        ("steps", "0", "give a value from 1 to ∞"),
        ("steps", "1.5", "give a value of type int"),
        ("verbose", "maybe", "plugin.verbose is 'maybe'; give true or false"),
        ("kernel", "txt", "plugin.kernel is 'txt'; did you mean 'text'?"),
        ("limit", "10", "give a value from 0 to 9"),
    ],
)
def test_bad_settings_say_what_would_be_right(name, text, message):
    with pytest.raises(OptionError) as caught:
        build(**{name: text})
    assert message in str(caught.value)


def test_descriptions_repeat_the_declaration():
    described = describe_options(Options)
    assert described[0] == OptionDescription("cutoff", "float", 7.0, "where neighbours end", "Å", (0.5, 20.0))
    assert [d.type for d in described] == ["float", "int", "bool", "text | code", "str | none", "int | none"]


def test_settings_are_sorted_by_plugin():
    assert parse_settings(["a.x=1", "b.y=2=3", " a.z = 4 "]) == {"a": {"x": "1", "z": "4"}, "b": {"y": "2=3"}}


@pytest.mark.parametrize("text", ["", "x", "a.b", "=1", ".b=1", "a.=1", "a=1"])
def test_malformed_settings_are_refused(text):
    with pytest.raises(OptionError, match=r"is not of the form plugin\.option=value"):
        parse_settings([text])
