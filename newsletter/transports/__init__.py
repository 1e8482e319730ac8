"""Delivers letters: to an SMTP server, or into a folder. Each obeys ``ports.Transport``."""
