"""Which SMTP server takes the letters, and how long to wait for it."""

from newsletter.config import models
from newsletter.model.windows import ANSWER_TIMEOUT


class SmtpSettings(models.SmtpSettings):
    """The operator's settings of the server, and waits in seconds that are not theirs to set.

    Attributes:
        timeout: how long to wait for a connection and for each reply but the last.
        answer_timeout: how long to wait for the reply to the final dot. RFC 5321 4.5.3.2.6 asks
            for ten minutes: a letter given up too early may arrive twice.
    """

    timeout: float = 60.0
    answer_timeout: float = ANSWER_TIMEOUT

    @property
    def address(self) -> str:
        """Host and port, as error messages name the server."""
        return f"{self.host}:{self.port}"
