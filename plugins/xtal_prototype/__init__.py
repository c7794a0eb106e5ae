"""Isostructural search: known structure types, decorated with the elements of a formula."""
