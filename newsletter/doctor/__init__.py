"""The doctor: is all well with a newsletter, and what mends what is not.

``checks`` looks at this machine, the store, the SMTP server; ``records`` at what the sender's
domain says in the DNS. Nothing is changed, and no letter is sent.
"""

from newsletter.doctor.checks import examine
from newsletter.doctor.dns import ask_dns
from newsletter.doctor.findings import Finding

__all__ = ["Finding", "ask_dns", "examine"]
