"""Sends letters over SMTP, on several connections at once."""

from newsletter.transports.smtp.connecting import check_connection
from newsletter.transports.smtp.settings import SmtpSettings
from newsletter.transports.smtp.transport import SmtpTransport

__all__ = ["SmtpSettings", "SmtpTransport", "check_connection"]
