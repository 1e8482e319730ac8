"""The preview page: a local page that shows each letter as it would go, and why, as files change.

It shows a letter's bytes, built by the code that sends them and parsed again. It listens on
loopback only and refuses requests that another site caused.
"""

from newsletter.preview.watching import open_preview

__all__ = ["open_preview"]
