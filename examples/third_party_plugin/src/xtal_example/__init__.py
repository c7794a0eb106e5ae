"""Example plugins for xtal."""
