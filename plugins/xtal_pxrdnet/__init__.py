"""PXRDNet: a crystal diffusion autoencoder whose latent space is searched for what explains a powder pattern."""
