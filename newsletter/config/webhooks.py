"""``bounces.webhooks``: for each mail service, what proves that a request comes from it."""

import re
from base64 import b64decode
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator

from newsletter.config.fields import Secret, Strict, as_list

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}", re.ASCII)
_ARMOUR = re.compile(r"-----[A-Z ]+-----|\s")
_IN_RECORD = re.compile(r"\bp=([^;]+)")


def load_public_key(text: str) -> "EllipticCurvePublicKey | RSAPublicKey":
    """The public key in a PEM block, in base64, or in the ``p=`` of a DKIM record.

    Raises:
        ValueError: it is not a public key for signatures, or the library for it is missing.
    """
    _check_extra()
    # ruff: noqa: PLC0415 - the library is an extra
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    record = _IN_RECORD.search(text)
    problem = "this is not a public key; copy it from the service: it begins with MF or MI"
    try:
        key = load_der_public_key(b64decode(_ARMOUR.sub("", record[1] if record else text)))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(problem) from error
    if not isinstance(key, EllipticCurvePublicKey | RSAPublicKey):
        raise ValueError(problem)  # noqa: TRY004 - what pydantic reports as a mistake in the file
    return key


def _check_extra() -> None:
    if find_spec("cryptography") is None:
        raise ValueError(
            "its signatures need an extra; run pip install 'daily-papers-newsletter[webhooks]'"
        )


def _public_key(text: str) -> str:
    load_public_key(text)
    return text


def _topic(text: str) -> str:
    _check_extra()
    if not _TOPIC.fullmatch(text):
        raise ValueError("write a topic's ARN: arn:aws:sns:eu-central-1:123456789012:bounces")
    return text


PublicKey = Annotated[str, AfterValidator(_public_key)]
Topic = Annotated[str, AfterValidator(_topic)]


class WebhookSettings(Strict):
    """The services that may report bounces and complaints, each with what proves its requests.

    ``ses``: the SNS topics that SES publishes to; ``sendgrid`` and ``postal``: the public keys that
    they sign with; ``mailgun``: the key that it signs with; the others: a password of your own.
    """

    ses: Annotated[tuple[Topic, ...], BeforeValidator(as_list)] = ()
    sendgrid: PublicKey | None = None
    postal: PublicKey | None = None
    mailgun: Secret | None = None
    postmark: Secret | None = None
    brevo: Secret | None = None
    mailjet: Secret | None = None

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the services that have settings."""
        return tuple(name for name, value in self if value)
