"""The proof sheet: a local page that shows each letter as it would go, and why, as files change.

What it shows are a letter's bytes, made by the code that sends them and read back. It listens on
loopback alone and answers nobody who came by way of another site.
"""

from newsletter.preview.wiring import open_sheet

__all__ = ["open_sheet"]
