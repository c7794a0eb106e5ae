"""CDVAE, a crystal diffusion variational autoencoder, and the structure search by random latent vectors."""
