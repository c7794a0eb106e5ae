from __future__ import annotations

import csv
import json
import signal
import time

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from crystal_files import write_cifs
from xtal_core.progress import SilentProgress
from xtal_core.training_set import TrainingSet
from xtal_core.weights import find_weights
from xtal_training.building import BuildReport, BuildRequest, build_training_set
from xtal_training.sources import find_sources


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the training set of 40 crystals."""
    folder = tmp_path_factory.mktemp("built")
    sources = find_sources([write_cifs(folder / "cifs", 40)])
    request = BuildRequest(sources, None, "powder", 1, folder / "cache.sqlite")
    return build_training_set(request, BuildReport(), SilentProgress())


@pytest.fixture
def crystals(built, tmp_path):
    """Return the file of a training set of 40 crystals."""
    built.save(tmp_path / "crystals.safetensors")
    return tmp_path / "crystals.safetensors"


def arguments(data, *more, epochs=3, out="run"):
    return ["train", "toy-model", "--data", data, "--out", out, "--epochs", epochs, "--batch-size", 8, *more]


def checkpoint_of(folder):
    return torch.load(folder / "last.ckpt", map_location="cpu", weights_only=True)


def average_of(folder):
    """Return the averaged tensors of a run's checkpoint under the names that the toy exports."""
    average = next(state["average"] for state in checkpoint_of(folder)["callbacks"].values() if "average" in state)
    return {name.removeprefix("layers."): tensor.numpy() for name, tensor in average.items()}


def wait_for(condition, process=None):
    until = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < until, "it takes too long"
        if process is not None and process.poll() is not None:
            raise AssertionError(process.communicate())
        time.sleep(0.05)


def logged(folder, column):
    """Return what the sittings of a run logged, in order."""
    values = []
    for file in sorted(folder.glob("logs/sitting-*/metrics.csv")):
        values += [float(row[column]) for row in csv.DictReader(file.open()) if row.get(column)]
    return values


def test_training_leaves_weights_a_card_logs_and_a_checkpoint(xtal, crystals, tmp_path):
    outcome = xtal(*arguments(crystals, "--validation", crystals))
    assert outcome.code == 0, outcome.err
    run = tmp_path / "run"
    assert {"last.ckpt", "toy-model.safetensors", "toy-model.md", "run.json", "logs"} == {f.name for f in run.iterdir()}
    weights = find_weights(run / "toy-model.safetensors", "toy-model")
    assert json.loads(weights.metadata["config"]) == {"width": 4}
    assert (weights.metadata["epochs"], weights.metadata["steps"]) == ("3", "15")
    card = (run / "toy-model.md").read_text()
    assert weights.sha256 in card
    assert "3 epochs, 15 steps of 8 crystals, finished" in card
    assert "| `rate` | `0.01` |" in card
    assert len(logged(run, "train_loss")) == len(logged(run, "val_loss")) == 3
    assert "3 of 3 epochs" in outcome.out


def test_what_is_exported_is_the_moving_average_and_not_the_last_weights(xtal, crystals, tmp_path):
    assert xtal(*arguments(crystals, "--set", "toy-model.rate=0.05")).code == 0
    exported, average = load_file(tmp_path / "run" / "toy-model.safetensors"), average_of(tmp_path / "run")
    last = checkpoint_of(tmp_path / "run")["state_dict"]
    for name, tensor in exported.items():
        assert np.array_equal(tensor, average[name])
        assert not np.allclose(tensor, last[f"layers.{name}"].numpy(), atol=1e-4)


def test_without_averaging_what_is_exported_are_the_last_weights(xtal, crystals, tmp_path):
    assert xtal(*arguments(crystals, "--average-decay", 0)).code == 0
    last = checkpoint_of(tmp_path / "run")["state_dict"]
    for name, tensor in load_file(tmp_path / "run" / "toy-model.safetensors").items():
        assert np.allclose(tensor, last[f"layers.{name}"].numpy(), atol=1e-7)


def test_the_same_seed_gives_the_same_weights(xtal, crystals, tmp_path):
    for out in ("first", "second"):
        assert xtal(*arguments(crystals, out=out)).code == 0
    first, second = (load_file(tmp_path / out / "toy-model.safetensors") for out in ("first", "second"))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_more_epochs_go_on_from_where_the_run_was(xtal, crystals, tmp_path):
    assert xtal(*arguments(crystals, epochs=2)).code == 0
    before = checkpoint_of(tmp_path / "run")
    assert xtal(*arguments(crystals, epochs=5)).code == 0
    after = checkpoint_of(tmp_path / "run")
    assert (before["global_step"], after["global_step"]) == (10, 25)
    assert [p.name for p in sorted((tmp_path / "run" / "logs").iterdir())] == ["sitting-1", "sitting-2"]
    assert len(logged(tmp_path / "run", "train_loss")) == 5


def test_a_run_that_is_finished_only_writes_its_weights_again(xtal, crystals, tmp_path):
    assert xtal(*arguments(crystals)).code == 0
    before = load_file(tmp_path / "run" / "toy-model.safetensors")
    outcome = xtal(*arguments(crystals))
    assert outcome.code == 0, outcome.err
    assert "3 of 3 epochs" in outcome.out
    after = load_file(tmp_path / "run" / "toy-model.safetensors")
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_run_killed_within_an_epoch_goes_on_from_its_checkpoint(xtal, start_xtal, crystals, tmp_path):
    slow = arguments(crystals, "--checkpoint-minutes", 0, "--set", "toy-model.pause=0.3", epochs=2)
    process = start_xtal(*slow)
    run = tmp_path / "run"

    def within_an_epoch():
        try:
            return checkpoint_of(run)["global_step"] % 5 in (2, 3)
        except (OSError, RuntimeError):
            return False

    wait_for(within_an_epoch, process)
    process.kill()
    process.wait()
    reached, average = checkpoint_of(run), average_of(run)
    steps = reached["global_step"]
    assert not (run / "toy-model.safetensors").exists()
    # No time but for one step, which moves nothing by more than the learning rate.
    outcome = xtal(*slow, "--minutes", 0)
    assert outcome.code == 0, outcome.err
    assert checkpoint_of(run)["global_step"] == steps + 1
    exported = load_file(run / "toy-model.safetensors")
    assert all(np.abs(average[name] - tensor).max() < 0.011 for name, tensor in exported.items())
    assert xtal(*slow).code == 0
    finished = checkpoint_of(run)
    assert finished["global_step"] == 10
    assert finished["optimizer_states"][0]["state"][0]["step"] == 10


def test_ctrl_c_stops_after_the_step_and_leaves_weights_and_a_checkpoint(xtal, start_xtal, crystals, tmp_path):
    process = start_xtal(*arguments(crystals, "--set", "toy-model.pause=0.3", epochs=1000))
    run = tmp_path / "run"
    wait_for(lambda: (run / "last.ckpt").exists(), process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "xtal: interrupted"
    weights = find_weights(run / "toy-model.safetensors", "toy-model")
    assert int(weights.metadata["steps"]) == checkpoint_of(run)["global_step"] > 0
    assert "stopped before the 1000 epochs" in (run / "toy-model.md").read_text()


def test_minutes_stop_the_run_which_then_goes_on(xtal, crystals, tmp_path):
    slow = ["--set", "toy-model.pause=0.02"]
    start = time.monotonic()
    outcome = xtal(*arguments(crystals, *slow, "--minutes", 0.02, epochs=10_000))
    assert outcome.code == 0, outcome.err
    assert time.monotonic() - start < 30
    first = checkpoint_of(tmp_path / "run")["global_step"]
    assert first > 0
    assert (tmp_path / "run" / "toy-model.safetensors").exists()
    assert xtal(*arguments(crystals, *slow, "--minutes", 0.02, epochs=10_000)).code == 0
    assert checkpoint_of(tmp_path / "run")["global_step"] > first


def test_several_devices_share_the_crystals_and_leave_one_run(start_xtal, crystals, tmp_path):
    process = start_xtal(*arguments(crystals, "--validation", crystals, "--devices", 2, epochs=2))
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert out.count("2 of 2 epochs") == 1
    assert checkpoint_of(tmp_path / "run")["global_step"] == 6  # 40 crystals, 8 a step on each of two
    assert find_weights(tmp_path / "run" / "toy-model.safetensors").metadata["steps"] == "6"


def test_hours_of_all_sittings_add_up(xtal, crystals, tmp_path):
    seconds = []
    for epochs in (2, 4):
        assert xtal(*arguments(crystals, "--set", "toy-model.pause=0.02", epochs=epochs)).code == 0
        states = checkpoint_of(tmp_path / "run")["callbacks"].values()
        seconds.append(next(state["seconds"] for state in states if "seconds" in state))
    assert seconds[0] > 10 * 0.02
    assert seconds[1] > seconds[0] + 10 * 0.02


def test_presets_set_options_and_single_ones_override_them(xtal, crystals, tmp_path):
    assert xtal(*arguments(crystals, "--preset", "wide", "--set", "toy-model.rate=0.5", epochs=1)).code == 0
    options = json.loads((tmp_path / "run" / "run.json").read_text())["options"]
    assert options == {"width": 32, "rate": 0.5, "pause": 0.0, "diverges_at": 0}


def test_training_can_start_from_weights(xtal, crystals, tmp_path):
    assert xtal(*arguments(crystals, epochs=1)).code == 0
    start = tmp_path / "run" / "toy-model.safetensors"
    outcome = xtal(*arguments(crystals, "--start-from", start, "--set", "toy-model.rate=0", epochs=1, out="next"))
    assert outcome.code == 0, outcome.err
    first, second = load_file(start), load_file(tmp_path / "next" / "toy-model.safetensors")
    assert all(np.allclose(first[name], second[name], atol=1e-6) for name in first)
    assert "started from" in (tmp_path / "next" / "toy-model.md").read_text()


def test_weights_of_other_sizes_or_models_are_no_start(xtal, crystals, tmp_path):
    assert xtal(*arguments(crystals, epochs=1)).code == 0
    start = tmp_path / "run" / "toy-model.safetensors"
    wide = xtal(*arguments(crystals, "--start-from", start, "--preset", "wide", out="wide"))
    assert wide.code == 2
    assert "of a model of other sizes" in wide.err
    save_file({"x": np.zeros(2)}, tmp_path / "other.safetensors", {"model": "pxrdnet"})
    other = xtal(*arguments(crystals, "--start-from", tmp_path / "other.safetensors", out="other"))
    assert other.code == 2
    assert "are weights of pxrdnet, not of toy-model" in other.err


def test_several_training_sets_are_one(xtal, crystals, tmp_path):
    half = TrainingSet.load(crystals).subset(range(20))
    half.save(tmp_path / "half.safetensors")
    outcome = xtal(*arguments(crystals, "--data", tmp_path / "half.safetensors", epochs=1))
    assert outcome.code == 0, outcome.err
    assert checkpoint_of(tmp_path / "run")["global_step"] == 8  # 60 crystals, 8 a step


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--set", "toy-model.width=8"], "options.width was 4, is 8"),
        (["--seed", "7"], "seed was 0, is 7"),
        (["--batch-size", "4"], "batch_size was 8, is 4"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(xtal, crystals, changed, message):
    assert xtal(*arguments(crystals, epochs=1)).code == 0
    outcome = xtal(*arguments(crystals, *changed))
    assert outcome.code == 2
    assert message in outcome.err
    assert "choose another --out" in outcome.err


def test_a_run_is_not_resumed_with_other_data(xtal, crystals, tmp_path):
    assert xtal(*arguments(crystals, epochs=1)).code == 0
    TrainingSet.load(crystals).subset(range(20)).save(crystals)
    outcome = xtal(*arguments(crystals))
    assert outcome.code == 2
    assert "data was" in outcome.err


def test_a_folder_of_something_else_is_not_a_run(xtal, crystals, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    outcome = xtal(*arguments(crystals))
    assert outcome.code == 2
    assert "holds something other than a training run" in outcome.err


def test_a_checkpoint_with_code_in_it_is_refused_and_not_run(xtal, crystals, tmp_path):
    assert xtal(*arguments(crystals, epochs=1)).code == 0
    torch.save({"global_step": print}, tmp_path / "run" / "last.ckpt")
    outcome = xtal(*arguments(crystals))
    assert outcome.code == 2
    assert "the checkpoint cannot be read" in outcome.err


def test_weights_that_are_no_longer_finite_end_the_run_and_the_last_good_ones_stay(xtal, crystals, tmp_path):
    outcome = xtal(*arguments(crystals, "--set", "toy-model.diverges_at=7"))
    assert outcome.code == 1
    assert "after 10 steps weights are no longer finite" in outcome.err
    assert checkpoint_of(tmp_path / "run")["global_step"] == 5
    assert all(np.isfinite(tensor).all() for tensor in average_of(tmp_path / "run").values())


def test_data_that_cannot_be_trained_on_are_refused_before_anything_is_made(xtal, crystals, tmp_path):
    data = TrainingSet.load(crystals)
    data.lattice[3, 0, 0] = np.nan
    data.save(crystals)
    outcome = xtal(*arguments(crystals))
    assert outcome.code == 2
    assert "lattice holds numbers that are not finite" in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--preset", "wid"], "toy-model has no preset 'wid'; did you mean 'wide'?"),
        (["--set", "powder.threads=2"], "--set powder.… is not about toy-model"),
        (["--devices", "many"], "--devices is 'many'; give a number or auto"),
        (["--precision", "bf17"], "--precision is 'bf17'; choose from auto, 32-true"),
        (["--data", "absent.safetensors"], "absent.safetensors: there is no such file"),
    ],
)
def test_wrong_options_are_explained(xtal, crystals, given, message):
    outcome = xtal(*arguments(crystals, *given))
    assert outcome.code == 2
    assert message in outcome.err


def test_an_unknown_model_is_explained(xtal, crystals):
    outcome = xtal("train", "toy-modle", "--data", crystals, "--out", "run")
    assert outcome.code == 2
    assert "there is no model 'toy-modle'; did you mean 'toy-model'?" in outcome.err


def test_without_lightning_the_extra_is_named(xtal, crystals, monkeypatch):
    monkeypatch.setattr("xtal_training.train_command.find_spec", lambda name: None)
    outcome = xtal(*arguments(crystals))
    assert outcome.code == 1
    assert 'pip install "xtal-solve[train]"' in outcome.err
