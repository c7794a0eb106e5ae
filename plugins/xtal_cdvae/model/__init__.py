"""CDVAE's networks: Xie et al., "Crystal diffusion variational autoencoder for periodic material generation" (2022).

Torch only, no files. `CDVAE` in `cdvae.py` joins them; `langevin` in `sampling.py` draws coordinates from it.
"""
