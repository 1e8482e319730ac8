"""Sends letters over SMTP, on several connections at once."""

from typing import TYPE_CHECKING

from newsletter.lazy import importing

if TYPE_CHECKING:
    from newsletter.transports.smtp.connecting import check_connection as check_connection
    from newsletter.transports.smtp.settings import SmtpSettings as SmtpSettings
    from newsletter.transports.smtp.transport import SmtpTransport as SmtpTransport
else:
    __getattr__ = importing(
        __name__,
        {
            "connecting": "check_connection",
            "settings": "SmtpSettings",
            "transport": "SmtpTransport",
        },
    )
