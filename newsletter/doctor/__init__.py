"""Checks of everything a newsletter needs; no email is sent, and no reader or setting changes."""

from newsletter.doctor.checks import examine
from newsletter.doctor.findings import Finding, resolver_lookup

__all__ = ["Finding", "examine", "resolver_lookup"]
