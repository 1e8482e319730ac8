"""The SMTP server of the configuration, as the transport is told of it."""

from pathlib import Path

from newsletter import config
from newsletter.transports.smtp import SmtpSettings


def smtp_settings(smtp: config.SmtpSettings, folder: Path) -> SmtpSettings:
    """The server to speak to; its ``ca_file`` is relative to the configuration's folder."""
    return SmtpSettings(
        host=smtp.host,
        port=smtp.port,
        security=smtp.security,
        username=smtp.username,
        password=None if smtp.password is None else smtp.password.get_secret_value(),
        ca_file=None if smtp.ca_file is None else str(folder / smtp.ca_file),
        allow_cleartext=smtp.allow_cleartext,
        connections=smtp.connections,
        per_connection=smtp.per_connection,
        rate_per_second=smtp.per_second,
    )
