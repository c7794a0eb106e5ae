"""Manifest of PXRDNet: the generator, the model to be trained, and its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xtal_core.hookspecs import PluginRecord, WeightsRecord, hookimpl
from xtal_core.options import option


@dataclass(frozen=True)
class PXRDNetOptions:
    """Options of the generator."""

    weights: str = option("pxrdnet-fast", "weights: a name (xtal weights lists them), or the path of a file")
    candidates: int = option(40, "crystals generated; the paper has 100", bounds=(1, None))
    keep: int = option(10, "candidates kept: those with the most similar patterns", bounds=(1, None))
    start: Literal["amortised", "random"] = option(
        "amortised", "latent vectors to start from: proposed by the pattern, or the paper's random ones"
    )
    lattice: Literal["proposed", "decoded"] = option(
        "proposed", "lattice: proposed with an amortised latent vector, or the paper's, decoded from it"
    )
    proposals: int = option(8, "latent vectors proposed for each crystal, of which the best is taken", bounds=(1, None))
    flow_steps: int = option(20, "steps of the flow that proposes latent vectors", bounds=(1, None))
    latent_steps: int = option(
        0, "steps of the latent search by gradients, equation 4; the paper takes 35000", bounds=(0, None)
    )
    levels: int = option(50, "noise levels of the denoising", bounds=(1, None))
    steps_per_level: int = option(1, "Langevin steps at each level; the paper takes 100", bounds=(0, None))
    step_size: float = option(
        1e-5, "length of the Langevin steps at the last level; the paper has 1e-4", unit="Å²", bounds=(0.0, None)
    )
    predictor: bool = option(True, "a predictor from level to level, so that few Langevin steps do; not the paper's")
    guidance: float = option(
        0.0, "weight of the pattern's own gradient in the denoising; 0 is the paper's", bounds=(0.0, None)
    )
    correct_lattice: bool = option(
        True, "fit volume and lattice of the crystals before they are compared; not the paper's"
    )
    expected_strain: float = option(
        0.02, "strain expected of the crystals' lattices once their volume is right", bounds=(1e-4, None)
    )
    again: float = option(
        0.5,
        "noise from which crystals are denoised again in the fitted lattice; 0 for never, as in the paper",
        unit="Å",
        bounds=(0.0, None),
    )
    symmetrise: bool = option(
        True, "let the best crystals compete with what they are in higher symmetry; not the paper's"
    )
    device: str = option("cpu", "torch device of the networks: cpu, cuda, cuda:1, …")


@dataclass(frozen=True)
class TrainingOptions:
    """What is trained, and how: the defaults are the paper's, for a GPU."""

    latent: int = option(256, "length of the latent vector", bounds=(1, None))
    head_width: int = option(256, "width of the heads of composition, atom count and lattice", bounds=(1, None))
    max_atoms: int = option(20, "largest number of atoms in a primitive cell", bounds=(1, None))
    encoder_width: int = option(128, "width of the structure encoder, a DimeNet++", bounds=(1, None))
    encoder_blocks: int = option(4, "interaction blocks of the structure encoder", bounds=(1, None))
    encoder_inner: int = option(64, "width where its messages meet", bounds=(1, None))
    encoder_spherical: int = option(7, "orders of its spherical basis", bounds=(1, None))
    encoder_cutoff: float = option(7.0, "how far it sees", unit="Å", bounds=(1.0, None))
    encoder_neighbours: int = option(20, "how many neighbours of an atom it sees", bounds=(1, None))
    denoiser: Literal["gemnet", "cspnet"] = option("gemnet", "network of the denoiser: gemnet, or the cheaper cspnet")
    denoiser_width: int = option(128, "width of the denoiser", bounds=(2, None))
    denoiser_layers: int = option(3, "layers of the denoiser", bounds=(1, None))
    denoiser_cutoff: float = option(7.0, "how far the denoiser sees", unit="Å", bounds=(1.0, None))
    denoiser_neighbours: int = option(20, "how many neighbours of an atom gemnet sees", bounds=(1, None))
    coordinate_target: Literal["nearest", "wrapped"] = option(
        "nearest", "what is learned: the way to the nearest image of the true position, or the mean over images"
    )
    largest_noise: float = option(10.0, "largest noise of the coordinates", unit="Å", bounds=(0.1, None))
    smallest_noise: float = option(0.01, "smallest noise of the coordinates", unit="Å", bounds=(1e-4, None))
    perturbed_species: float = option(1.0, "share of crystals whose species are noisy", bounds=(0.0, 1.0))
    coordinates_weight: float = option(10.0, "weight of the loss of coordinates", bounds=(0.0, None))
    lattice_weight: float = option(10.0, "weight of the loss of lattice parameters", bounds=(0.0, None))
    kl_weight: float = option(0.01, "weight of the Kullback–Leibler divergence", bounds=(0.0, None))
    pattern_weight: float = option(1.0, "weight of the loss of the regressor", bounds=(0.0, None))
    smallest_size: float = option(10.0, "smallest crystallites that patterns are made of", unit="Å", bounds=(1.0, None))
    largest_size: float = option(
        10.0, "largest crystallites; the paper has a model a size", unit="Å", bounds=(1.0, None)
    )
    noise: float = option(0.001, "noise of the patterns, whose maximum is 1", bounds=(0.0, None))
    background: float = option(0.0, "largest background left in every other pattern", bounds=(0.0, None))
    cut: bool = option(False, "begin and end patterns at varying angles")
    amortised: bool = option(
        False, "train a pattern encoder and a flow that propose latent vectors and lattices; not the paper's"
    )
    amortised_share: float = option(
        0.0, "share of crystals whose denoiser is told a proposed latent vector", bounds=(0.0, 1.0)
    )
    encoder_channels: int = option(32, "channels of the pattern encoder, a multiple of 4", bounds=(4, None))
    features: int = option(256, "length of what the pattern encoder finds", bounds=(1, None))
    flow_width: int = option(512, "width of the flow", bounds=(1, None))
    flow_blocks: int = option(3, "blocks of the flow", bounds=(1, None))
    learning_rate: float = option(5e-4, "learning rate of Adam at each restart", bounds=(0.0, None))
    last_learning_rate: float = option(1e-6, "learning rate before each restart", bounds=(0.0, None))
    restart_epochs: int = option(65, "epochs to the first restart; each period is twice the last", bounds=(1, None))


@hookimpl
def xtal_generators() -> list[PluginRecord]:
    """Return the generator."""
    return [
        PluginRecord(
            "pxrdnet",
            "crystals from a diffusion autoencoder whose latent space is searched for the pattern (PXRDNet)",
            "xtal_pxrdnet.generator:PXRDNetGenerator",
            interface=1,
            options=PXRDNetOptions,
        )
    ]


@hookimpl
def xtal_models() -> list[PluginRecord]:
    """Return the model, to be trained."""
    return [
        PluginRecord(
            "pxrdnet",
            "PXRDNet and the CDVAE in it: presets paper and fast",
            "xtal_pxrdnet.training:PXRDNetModel",
            interface=1,
            options=TrainingOptions,
        )
    ]


@hookimpl
def xtal_weights() -> list[WeightsRecord]:
    """Return the weights that come with the package."""
    return [
        WeightsRecord(
            "pxrdnet-fast",
            "pxrdnet",
            "xtal_pxrdnet/weights/pxrdnet-fast.safetensors",
            sha256="5213aa61587704c32c015a27cadbc5b6f8aae733657d09b25e9ba14d6bcf4f2d",
            bytes=18037828,
            card="xtal_pxrdnet/weights/pxrdnet-fast.md",
        )
    ]
