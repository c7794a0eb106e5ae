"""Manifest of the study of similarity measures."""

from __future__ import annotations

from xtal_core.hookspecs import PluginRecord, hookimpl


@hookimpl
def xtal_commands() -> list[PluginRecord]:
    """Return the command that studies similarity measures."""
    return [PluginRecord("study", "study which similarity measure sees what", "xtal_study.commands:app", interface=1)]
