"""Sends letters over SMTP, on several connections at once.

- ``settings``: where the server is and how to talk to it;
- ``connecting``: opens a session: connect, TLS, EHLO, login;
- ``connection``: the bytes of an open connection, out and in;
- ``session``: sends letters over one connection, with or without pipelining;
- ``replies``: what replies and errors mean;
- ``limits``: how many letters, how fast, on how many connections;
- ``breaker``: stops when the server refuses everybody;
- ``transport``: the whole: one stream of letters over several sessions.
"""

from newsletter.transports.smtp.connecting import check_connection
from newsletter.transports.smtp.settings import SmtpSettings
from newsletter.transports.smtp.transport import SmtpTransport

__all__ = ["SmtpSettings", "SmtpTransport", "check_connection"]
