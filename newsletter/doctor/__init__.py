"""Checks of everything a newsletter needs; nothing is changed and no email is sent."""

from newsletter.doctor.checks import examine
from newsletter.doctor.findings import Finding, resolver_lookup

__all__ = ["Finding", "examine", "resolver_lookup"]
