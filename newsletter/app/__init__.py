"""Wiring: the only place where ports meet adapters."""
