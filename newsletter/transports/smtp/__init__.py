"""Letters over SMTP: one or many connections, each phase known, nobody blamed for the server.

``settings`` says where to; ``opening`` connects; ``session`` sends over one connection;
``transport`` keeps several going; ``wire`` and ``refusals`` know what words mean.
"""

from newsletter.transports.smtp.connecting import greet
from newsletter.transports.smtp.settings import SmtpSettings
from newsletter.transports.smtp.transport import SmtpTransport

__all__ = ["SmtpSettings", "SmtpTransport", "greet"]
