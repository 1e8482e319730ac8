# ruff: noqa: RUF001 - words of many languages; some of their letters look alike
"""Requests by mail, and automatic replies, in the words of many mail programs."""

import pytest

from newsletter.bounces.parsing import parse
from tests.support.bounce_mails import postfix_bounce, prose_bounce, unsubscribe_mail

TOKEN = "MQ.tj1abc.XfQw-Lm9_WiSDJ7RuXZudwwnUUYiAHfzWqwfUQgeKAo"
TO = "bounce+1-0123456789abcdef@example.org"
LEAVE = "bounce+u1-0123456789abcdef@example.org"
APPLE = "Auto-Submitted: auto-replied\nX-Apple-Unsubscribe: true\n"


@pytest.mark.parametrize(
    "subject",
    [
        f"unsubscribe {TOKEN}",
        f"unsubscribe%20{TOKEN}",
        f"unsubscribe%2520{TOKEN}",
        f"unsubscribe+{TOKEN}",
        f"unsubscribe: {TOKEN}",
        f"[EXTERNAL] AW: Unsubscribe {TOKEN}",
        f'"unsubscribe {TOKEN}"',
        f"Automatic reply: unsubscribe {TOKEN}",
    ],
)
@pytest.mark.parametrize("more", ["", APPLE, "Precedence: bulk\n"])
def test_signed_word_outranks_every_header(subject: str, more: str) -> None:
    mail = parse(unsubscribe_mail(subject, more=more))
    assert (mail.meaning, mail.token) == ("unsubscribe", TOKEN)


@pytest.mark.parametrize(
    "line", [f"unsubscribe {TOKEN}", f"> unsubscribe%20{TOKEN}", f"*Unsubscribe {TOKEN}*"]
)
def test_signed_line_in_the_text_unsubscribes(line: str) -> None:
    mail = parse(unsubscribe_mail("", more=f"\n{line}\n"))
    assert (mail.meaning, mail.token) == ("unsubscribe", TOKEN)


def test_quoted_letter_unsubscribes_nobody() -> None:
    quoted = (
        "\nThank you, a good paper!\n\n> One paper.\n"
        f"> Unsubscribe: mailto:bounce@example.org?subject=unsubscribe%20{TOKEN}\n"
        f"> unsubscribe {TOKEN}\n"
    )
    assert parse(unsubscribe_mail("Re: One paper", to=TO, more=quoted)).meaning == "unreadable"


@pytest.mark.parametrize("subject", ["", "AW: A paper and 39 more", "unsubscribe MQ.tj1abc.cut"])
@pytest.mark.parametrize("more", ["", APPLE])
def test_mail_to_the_leaving_address_unsubscribes(subject: str, more: str) -> None:
    mail = parse(unsubscribe_mail(subject, to=LEAVE, more=more))
    assert (mail.meaning, mail.token) == ("unsubscribe", "")
    assert LEAVE in mail.address_fields


PREFIXES = [
    "Re:",
    "AW:",
    "SV:",
    "VS:",
    "RV:",
    "RIF:",
    "TR:",
    "Odp:",
    "YNT:",
    "回复：",
    "答复：",
    "回覆:",
    "返信:",
    "Antw:",
    "R:",
    "RES:",
    "Fwd:",
    "Re[2]:",
    "Re(3):",
    "Ответ:",
    "RE:[EXT]",
    "[EXTERNAL]",
    "***SPAM***",
    "[External]",
    "EXTERN:",
    "Vá:",
    "Σχετ:",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_answers_with_any_prefix_unsubscribe(prefix: str) -> None:
    mail = parse(unsubscribe_mail(f"{prefix} Unsubscribe", to=TO))
    assert (mail.meaning, mail.token) == ("unsubscribe", "")


@pytest.mark.parametrize(
    "word",
    ["Unsubscribe me please", "Abmelden", "Désabonner", "退订", "配信停止", "отписаться"],
)
def test_readers_unsubscribe_in_their_language(word: str) -> None:
    assert parse(unsubscribe_mail(word, to=TO)).meaning == "unsubscribe"


@pytest.mark.parametrize(
    ("more", "meaning"),
    [
        (APPLE, "unsubscribe"),
        ("\nunsubscribe\n", "unsubscribe"),
        ("\nApple Mail sent this email to unsubscribe from the message.\n", "unsubscribe"),
        ("", "unreadable"),
        ("Auto-Submitted: auto-replied\n", "aside"),
    ],
)
def test_empty_subject_needs_a_sign(more: str, meaning: str) -> None:
    assert parse(unsubscribe_mail("", to=TO, more=more)).meaning == meaning


def test_apples_mail_asks_even_if_it_names_nobody() -> None:
    assert parse(unsubscribe_mail("", more=APPLE)).meaning == "unsubscribe"


def test_bounce_of_a_letter_unsubscribes_nobody() -> None:
    letter = f"List-Unsubscribe: <mailto:{LEAVE}?subject=unsubscribe%20{TOKEN}>\nTo: ada@".encode()
    returned = postfix_bounce(TO).replace(b"To: ada@", letter)
    assert (parse(returned).meaning, parse(returned).token) == ("hard", "")
    words = prose_bounce(TO, "<ada@example.net>: User unknown").replace(b"To: ada@", letter)
    assert (parse(words).meaning, parse(words).token) == ("hard", "")


AWAY = [
    "Automatic reply: A paper",
    "Out of Office: A paper",
    "Auto: A paper",
    "Abwesenheitsnotiz: A paper",
    "Automatische Antwort: A paper",
    "Réponse automatique : A paper",
    "Respuesta automática: A paper",
    "Resposta automática: A paper",
    "Risposta automatica: A paper",
    "Automatisch antwoord: A paper",
    "Automatiskt svar: A paper",
    "Automatisk svar: A paper",
    "Automaattinen vastaus: A paper",
    "Odpowiedź automatyczna: A paper",
    "Automatická odpověď: A paper",
    "Automatikus válasz: A paper",
    "Автоматический ответ: A paper",
    "Otomatik Yanıt: A paper",
    "Αυτόματη απάντηση: A paper",
    "自動応答: A paper",
    "自动答复: A paper",
    "자동 회신: A paper",
    "[EXT] Urlaub",
]


@pytest.mark.parametrize("subject", AWAY)
def test_reply_of_an_absent_reader_means_nothing(subject: str) -> None:
    assert parse(unsubscribe_mail(subject, to=TO)).meaning == "aside"


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-generated",
        "Auto-Submitted: auto-replied (vacation)",
        "X-Autoreply: yes",
        "X-Auto-Response-Suppress: All",
        "Precedence: bulk",
        "Precedence: auto_reply",
        "X-Autorespond: vacation",
    ],
)
def test_automatic_header_means_nothing(field: str) -> None:
    assert parse(unsubscribe_mail("I am away", to=TO, more=f"{field}\n")).meaning == "aside"


def test_answer_to_a_paper_about_replies_is_left() -> None:
    answer = unsubscribe_mail("Re: Automatic reply generation: a survey", to=TO)
    assert parse(answer).meaning == "unreadable"


@pytest.mark.parametrize("field", ["Auto-Submitted: no", "Precedence: normal"])
def test_person_is_left_for_a_person(field: str) -> None:
    assert parse(unsubscribe_mail("A question", to=TO, more=f"{field}\n")).meaning == "unreadable"


@pytest.mark.parametrize("more", ["Auto-Submitted: auto-replied\n", "Precedence: bulk\n"])
def test_report_that_is_not_understood_is_not_set_aside(more: str) -> None:
    mail = unsubscribe_mail("Returned mail", to=TO, more=more)
    assert parse(mail).meaning == "unreadable"
