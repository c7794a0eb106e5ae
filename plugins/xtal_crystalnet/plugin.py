"""Manifest of CrystalNet: the generator, the model to be trained, its commands, and the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xtal_core.hookspecs import PluginRecord, WeightsRecord, hookimpl
from xtal_core.options import option


@dataclass(frozen=True)
class CrystalNetOptions:
    """Options of the generator."""

    weights: str = option("crystalnet-fast", "weights: a name (xtal weights lists them), or the path of a file")
    cell: str = option("", "the cell, primitive or conventional, when known: 'a b c α β γ' in Å and degrees")
    draws: int = option(10, "densities drawn; the paper has 5", bounds=(1, None))
    cells: int = option(
        2, "best cells that are tried for a density: those looked for, or centrings of the given one", bounds=(0, None)
    )
    grid: int = option(32, "points along each edge of the cell where atoms are looked for", bounds=(8, None))
    alternatives: int = option(3, "ways to tell the elements apart that are tried for a density", bounds=(1, None))
    keep: int = option(10, "candidates kept: those with the most similar patterns", bounds=(1, None))
    correct_lattice: bool = option(True, "fit volume and lattice of the crystals before they are compared")
    symmetrise: bool = option(True, "let the best crystals compete with what they are in higher symmetry")
    device: str = option("cpu", "torch device of the networks: cpu, cuda, cuda:1, …")


@dataclass(frozen=True)
class TrainingOptions:
    """What is trained, and how: the defaults are the paper's, for a GPU."""

    systems: str = option("cubic,trigonal", "crystal systems to learn, separated by commas, or all")
    densities: str = option("", "folder of CHGCAR_NAME files to learn from; without it, densities of independent atoms")
    n_species: int = option(118, "elements that formulas may hold, hydrogen first", bounds=(1, 118))
    latent: int = option(512, "length of each embedding", bounds=(1, None))
    growth: int = option(32, "channels that each convolution of the pattern encoder adds", bounds=(1, None))
    dense_layers: int = option(4, "convolutions in each of its blocks", bounds=(1, None))
    formula_width: int = option(512, "width of the formula encoder", bounds=(1, None))
    width: int = option(512, "width of the fusion and the regressor", bounds=(1, None))
    blocks: int = option(4, "layers of the regressor", bounds=(1, None))
    n_frequencies: int = option(128, "Fourier features", bounds=(1, None))
    frequency_sigma: float = option(3.0, "standard deviation of random features", bounds=(0.0, None))
    periodic: bool = option(False, "features with the period of the cell; not the paper's")
    norm: Literal["batch", "none"] = option("batch", "what normalises layers over points")
    square_root: bool = option(False, "show the network the square root of intensities; not the paper's")
    density_scale: float = option(
        0.0, "learn ln(1 + ρ/ρ₀) with this ρ₀, 0 for ρ as in the paper", unit="e⁻/Å³", bounds=(0.0, None)
    )
    lattice_head: bool = option(False, "learn the lattice, too; not the paper's")
    lattice_weight: float = option(1.0, "weight of the loss of the lattice", bounds=(0.0, None))
    narrowest: float = option(0.0, "narrowest peaks, 0 for bins as in the paper", unit="Å⁻¹", bounds=(0.0, None))
    widest: float = option(0.0, "widest peaks, 0 for bins as in the paper", unit="Å⁻¹", bounds=(0.0, None))
    tails: float = option(
        0.0, "share of patterns with the side lobes of small crystallites, or Lorentzian tails", bounds=(0.0, 1.0)
    )
    background: float = option(0.0, "largest background left in every other pattern", bounds=(0.0, None))
    noise: float = option(0.001, "noise of the patterns, whose maximum is 1", bounds=(0.0, None))
    counting: float = option(
        0.0, "largest noise of counting, each pattern having its own; not the paper's", bounds=(0.0, None)
    )
    formula_noise: float = option(0.001, "noise of the atomic fractions", bounds=(0.0, None))
    shift: float = option(
        0.093, "largest shift of a pattern; the paper's 0.6° with Mo Kα", unit="Å⁻¹", bounds=(0.0, None)
    )
    cut: bool = option(False, "begin and end patterns at varying angles; not the paper's")
    ablated: float = option(
        0.0, "share of crystals whose formula is told in part, or not at all (Table 2)", bounds=(0.0, 1.0)
    )
    kl_weight: float = option(0.05, "weight of the Kullback–Leibler divergence", bounds=(0.0, None))
    strata: int = option(10, "parts of each edge of the cell; a point is drawn in each box", bounds=(1, None))
    near_atoms: int = option(0, "points drawn near atoms besides; not the paper's", bounds=(0, None))
    learning_rate: float = option(1e-3, "learning rate of Adam at each restart", bounds=(0.0, None))
    last_learning_rate: float = option(1e-6, "learning rate before each restart", bounds=(0.0, None))
    restart_epochs: int = option(100, "epochs to the first restart; each period is twice the last", bounds=(1, None))


@hookimpl
def xtal_generators() -> list[PluginRecord]:
    """Return the generator."""
    return [
        PluginRecord(
            "crystalnet",
            "atoms found in electron densities that a network draws for the pattern and the formula (CrystalNet)",
            "xtal_crystalnet.generator:CrystalNetGenerator",
            interface=1,
            options=CrystalNetOptions,
        )
    ]


@hookimpl
def xtal_models() -> list[PluginRecord]:
    """Return the model, to be trained."""
    return [
        PluginRecord(
            "crystalnet",
            "CrystalNet: presets paper and fast",
            "xtal_crystalnet.training:CrystalNetModel",
            interface=1,
            options=TrainingOptions,
        )
    ]


@hookimpl
def xtal_weights() -> list[WeightsRecord]:
    """Return the weights that come with the package."""
    return [
        WeightsRecord(
            "crystalnet-fast",
            "crystalnet",
            "xtal_crystalnet/weights/crystalnet-fast.safetensors",
            sha256="e6e724c9cda2f813add279926464772d931e2fbc819e900e5a50d5228744bc46",
            bytes=8976884,
            card="xtal_crystalnet/weights/crystalnet-fast.md",
        )
    ]


@hookimpl
def xtal_commands() -> list[PluginRecord]:
    """Return the commands `density` and `densities`."""
    return [
        PluginRecord("density", "draw electron densities for a pattern", "xtal_crystalnet.density_command:app", 1),
        PluginRecord("densities", "fetch densities of DFT to learn from", "xtal_crystalnet.fetch_command:app", 1),
    ]
