"""Training sets out of structure files, public data, and training of the models that plugins offer."""
