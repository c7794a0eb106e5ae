from __future__ import annotations

import sys
from importlib.metadata import distributions

import pytest

from toys import ToyGenerator
from xtal_core import interfaces, registry
from xtal_core.errors import OptionError, PluginError
from xtal_core.registry import installed_registry, load_registry

GOOD = """
from xtal_core.hookspecs import PluginRecord, hookimpl
@hookimpl
def xtal_metrics():
    return [PluginRecord({name!r}, "a metric", "{module}:make", interface={interface})]
def make():
    return {made}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that makes a fake installed distribution of one module; `installed` loads them all."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(distribution, source, entry_points=None):
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points or f"[xtal]\n{distribution} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    def installed():
        found = sorted(distributions(path=[str(tmp_path)]), key=lambda d: d.name)
        return load_registry(point for d in found for point in d.entry_points if point.group == "xtal")

    make.installed = installed
    return make


def good(name, module, made="object()", interface=1):
    return GOOD.format(name=name, module=module, made=made, interface=interface)


def test_the_interface_version_is_written_down_alike_in_both_places():
    assert registry.INTERFACE_VERSION == interfaces.INTERFACE_VERSION


def test_everything_of_this_distribution_loads():
    loaded = installed_registry()
    assert loaded.failures == ()
    assert {"powder"} <= set(loaded.names("simulator"))
    assert {"structure-matcher", "pdd", "amd"} <= set(loaded.names("metric"))


def test_an_outsiders_plugin_is_offered_with_where_it_is_from(install):
    install("outsider", good("their-metric", "outsider"))
    offer = install.installed().offer("metric", "their-metric")
    assert (offer.distribution, offer.version, offer.entry_point) == ("outsider", "1.0", "outsider")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 +", "cannot be imported: SyntaxError"),
        ("raise SystemError('bang')", "cannot be imported: SystemError: bang"),
        ("x = 1", "implements no hook of xtal"),
        (
            "from xtal_core.hookspecs import hookimpl\n@hookimpl\ndef xtal_metrics(): raise KeyError('k')",
            "xtal_metrics raised KeyError: 'k'",
        ),
        (
            "from xtal_core.hookspecs import hookimpl\n@hookimpl\ndef xtal_metrics(): return ['text']",
            "offers str instead of a PluginRecord",
        ),
        (
            "from xtal_core.hookspecs import hookimpl\n@hookimpl\ndef xtal_metrics(): return None",
            "xtal_metrics raised TypeError",
        ),
        (
            "from xtal_core.hookspecs import hookimpl\n@hookimpl\ndef xtal_gadgets(): return []",
            "is not a plugin module",
        ),
        (
            "from xtal_core.hookspecs import hookimpl\n@hookimpl\ndef xtal_metrics(surprise): return []",
            "is not a plugin module",
        ),
        (good("their-metric", "broken", interface=99), "speaks interface version 99, this xtal speaks 1"),
        (good("good-metric", "broken"), "'good-metric' is already offered by angel; rename one of the two"),
        (good("m", "broken").replace("broken:make", "broken.make"), "not of the form module:callable"),
    ],
)
def test_a_broken_plugin_is_explained_and_harms_nothing_else(install, source, reason):
    install("angel", good("good-metric", "angel"))
    install("broken", source)
    install("zealot", good("other-metric", "zealot"))
    loaded = install.installed()
    assert loaded.names("metric") == ["good-metric", "other-metric"]
    (failure,) = loaded.failures
    assert (failure.entry_point, failure.distribution) == ("broken", "broken")
    assert reason in failure.reason
    assert "\n" not in failure.reason


def test_an_entry_point_to_a_missing_module_is_explained(install):
    install("ghost", "", entry_points="[xtal]\nghost = not_there_at_all\n")
    (failure,) = install.installed().failures
    assert "ModuleNotFoundError" in failure.reason


def test_good_records_beside_a_bad_one_are_kept(install):
    source = good("fine", "mixed").replace("return [", "return [7, ")
    install("mixed", source)
    loaded = install.installed()
    assert loaded.names("metric") == ["fine"]
    assert "offers int" in loaded.failures[0].reason


def test_a_command_cannot_take_the_name_of_a_built_in_one(install):
    install("usurper", good("solve", "usurper").replace("xtal_metrics", "xtal_commands"))
    (failure,) = install.installed().failures
    assert "'solve' is a command of xtal itself" in failure.reason


WEIGHTS = """
from xtal_core.hookspecs import WeightsRecord, hookimpl
@hookimpl
def xtal_weights():
    return [WeightsRecord({name!r}, "toy-model", "package/file.safetensors", {sha256!r}, 10, "package/card.md")]
"""


def test_weights_are_offered_with_where_they_are_from(install):
    install("outsider", WEIGHTS.format(name="small", sha256="0a" * 32))
    loaded = install.installed()
    assert loaded.failures == ()
    assert (loaded.weights["small"].distribution, loaded.weights["small"].record.model) == ("outsider", "toy-model")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (WEIGHTS.format(name="small", sha256="unknown"), "'small' have the SHA-256 'unknown', which is not 64 hex"),
        (WEIGHTS.format(name="good", sha256="0a" * 32), "'good' is already offered by angel"),
        (WEIGHTS.format(name="x", sha256="").replace("return [", "return ['text', ")[:-1], "offers str instead of a W"),
    ],
)
def test_weights_that_cannot_be_used_are_explained(install, source, reason):
    install("angel", WEIGHTS.format(name="good", sha256="0b" * 32))
    install("broken", source)
    loaded = install.installed()
    assert list(loaded.weights) == ["good"]
    assert reason in loaded.failures[0].reason


def test_the_same_name_may_be_used_for_different_kinds(install):
    install("one", good("thing", "one"))
    install("two", good("thing", "two").replace("xtal_metrics", "xtal_refiners"))
    assert install.installed().failures == ()


def test_unknown_names_get_the_nearest_one_and_a_hint_at_broken_plugins(install):
    install("angel", good("good-metric", "angel"))
    install("broken", "raise ValueError")
    with pytest.raises(OptionError, match=r"did you mean 'good-metric'\? \(1 plugin"):
        install.installed().offer("metric", "god-metric")


@pytest.mark.parametrize(
    ("factory", "made", "reason"),
    [
        ("broken:nothing", "object()", "broken:nothing cannot be imported: AttributeError"),
        ("absent:make", "object()", "absent:make cannot be imported: ModuleNotFoundError"),
        ("broken:make", "1 / 0", "could not be created: ZeroDivisionError"),
        ("broken:make", "object()", "its factory made a object, which is not a SimilarityMetric"),
    ],
)
def test_a_factory_that_fails_names_its_plugin(install, factory, made, reason):
    install("broken", good("m", "broken", made=made).replace("broken:make", factory))
    with pytest.raises(PluginError) as caught:
        install.installed().create("metric", "m")
    assert str(caught.value).startswith("plugin m: ")
    assert reason in str(caught.value)


def test_options_are_applied_when_a_plugin_is_created(toy_registry):
    generator = toy_registry.create("generator", "toy", {"edge": "6.5"})
    assert isinstance(generator, ToyGenerator)
    assert generator.options.edge == 6.5


def test_settings_for_a_plugin_without_options_are_refused(toy_registry):
    with pytest.raises(OptionError, match="toy-metric has no options"):
        toy_registry.create("metric", "toy-metric", {"edge": "1"})
