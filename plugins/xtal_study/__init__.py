"""A study of which similarity measure sees what."""
