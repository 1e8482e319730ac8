"""Lists of readers as CSV: the newsletter's own, spreadsheets', and other programs' exports."""

import contextlib
import csv
import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.config.csv_file import join_list, split_list
from newsletter.config.reader_lists import ReaderList, read_csv, read_zip, write_csv
from newsletter.config.subscribers import read_subscribers, write_yaml
from newsletter.errors import ConfigurationError, FilterError, InvalidFileError
from newsletter.model import Filter, ListedReader, Subscriber
from newsletter.papers.filters import parse_rule
from newsletter.text import clean
from tests.support.factories import EVERY_FIELD

TOPICS = ("Reasoning", "Vision; and more", "=Sums", "- Minus")
FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def read(text: str | bytes, file: str = "readers.csv") -> ReaderList:
    source = text.encode() if isinstance(text, str) else text
    return read_csv(source, file, TOPICS)


def emails(found: ReaderList) -> list[str]:
    return [reader.subscriber.email for reader in found.readers]


def names(found: ReaderList) -> list[str]:
    return [reader.subscriber.name for reader in found.readers]


def states(found: ReaderList) -> dict[str, str]:
    return {reader.subscriber.email: reader.status for reader in found.readers}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# -- what is written reads back --------------------------------------------------------------------

TEXTS = st.text(
    st.sampled_from("=+-@'\";,\\\t\r\n ab\u200bü\uff1d|<>(){}$#:&*!%~\x85\u2028")
    | st.characters(codec="utf-8"),
    max_size=12,
)


def is_rule(text: str) -> bool:
    try:
        return parse_rule(text).text == text
    except FilterError:
        return False


RULES = (
    TEXTS.map(lambda text: f"x{text}") | TEXTS.map(lambda text: f'"{text.replace(chr(34), "")}"')
).filter(is_rule)


@settings(max_examples=40)
@given(TEXTS, st.lists(RULES, max_size=3), st.lists(st.sampled_from(TOPICS), unique=True))
def test_any_reader_reads_back_the_same(name: str, rules: list[str], topics: list[str]) -> None:
    wants = Filter(topics=tuple(topics), include=tuple(map(parse_rule, rules)))
    written = ListedReader(Subscriber("ada@example.org", clean(name), wants))
    text = write_csv([written])
    assert read(text).checked() == (written,)
    for row in csv.reader(io.StringIO(text, newline="")):
        assert not any(cell.startswith(FORMULA) for cell in row)
    for cell in text.split(";")[1:]:
        assert not cell.startswith(FORMULA), "Excel may end a cell at a semicolon"


@settings(max_examples=40)
@given(TEXTS, st.lists(RULES, max_size=3))
def test_any_reader_reads_back_from_yaml(name: str, rules: list[str]) -> None:
    wants = Filter(include=tuple(map(parse_rule, rules)))
    written = ListedReader(Subscriber("ada@example.org", clean(name), wants))
    source = write_yaml([written]).encode()
    secrets = {"NAME": "a secret"}
    assert read_subscribers(source, "readers.yaml", TOPICS, secrets) == (written,)


@pytest.mark.parametrize("text", ["${NAME}", "$${NAME}", "$$${NAME}", "${", "$"])
def test_exported_text_names_no_variable(text: str) -> None:
    written = ListedReader(Subscriber("ada@example.org", text))
    source = write_yaml([written]).encode()
    assert read_subscribers(source, "f.yaml", (), {"NAME": "a secret"}) == (written,)


@given(st.lists(TEXTS.map(str.strip).filter(bool)))
def test_any_list_of_texts_fits_a_cell(texts: list[str]) -> None:
    assert split_list(join_list(texts)) == texts


def test_every_field_and_date_reads_back() -> None:
    readers = [
        ListedReader(EVERY_FIELD, consented=at("2026-08-01T09:30:00")),
        ListedReader(Subscriber("bob@example.org"), "unsubscribed", at("2026-08-02T00:00:00")),
        ListedReader(Subscriber("cyd@example.org"), "blocked"),
    ]
    found = read_csv(write_csv(readers).encode(), "f.csv", EVERY_FIELD.filter.topics)
    assert list(found.checked()) == readers
    assert found.notes == ()


@pytest.mark.parametrize("name", ["-", "'-", "''=1", "=1+1", "+49", "@ada", "O'Neil", "'tis"])
def test_formula_cells_are_neutralised_and_restored(name: str) -> None:
    written = [ListedReader(Subscriber("ada@example.org", name))]
    assert not write_csv(written).splitlines()[1].split(",")[1].startswith(FORMULA)
    assert list(read(write_csv(written)).checked()) == written


def test_values_written_by_hand_stay_as_they_are() -> None:
    found = read('email,name,include\na@x.org,-,"-LoRA; x\\y;""x \\; y"" and z"\nb@x.org,=,=1\n')
    assert names(found) == ["-", "="]
    rules = [[rule.text for rule in r.subscriber.filter.include] for r in found.readers]
    assert rules == [["-LoRA", "x\\y", '"x ;y" and z'], ["=1"]]
    assert "this quote is never closed" in str(
        read('email,include\na@x.org,"""x; y"" and z"\n').mistakes[0]
    )


def test_wish_stays_whole_among_other_rules() -> None:
    rules = ("LoRA", 'about: a, "b"; c (d: e) \\ f, not g', "author:Tao")
    wants = Filter(include=tuple(map(parse_rule, rules)))
    (reader,) = read(write_csv([ListedReader(Subscriber("ada@example.org", filter=wants))])).readers
    assert tuple(rule.text for rule in reader.subscriber.filter.include) == rules


# -- what spreadsheets write -----------------------------------------------------------------------

PLAIN = "Email,Name\r\nada@example.org,Jürgen\r\nbob@example.org,Bob\r\n"


@pytest.mark.parametrize(
    "source",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.encode("cp1252"),
        PLAIN.replace(",", ";").encode("cp1252"),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", "|").encode(),
        PLAIN.replace("\r\n", "\r").encode(),
        PLAIN.replace("\r\n", "\n").encode(),
        b"sep=;\r\n" + PLAIN.replace(",", ";").encode(),
        b'\xef\xbb\xbf"sep=,"\r\n' + PLAIN.encode(),
        PLAIN.replace("\r\n", ",,,\r\n").encode() + b",,,,\r\n,,,,\r\n",
        PLAIN.replace("Email,Name", " E-mail Address , NAME").encode(),
        PLAIN.replace("Email,Name", '"e_mail", "Full name"').encode(),
        PLAIN.replace("Email,Name", "Adresse e-mail,Name").encode(),
        PLAIN.replace("ada@example.org,Jürgen", '"ada@example.org,""Jürgen"""').encode(),
        PLAIN.replace("ada@example.org,Jürgen", "Jürgen <ada@example.org>").encode(),
        PLAIN.replace("ada@", "\u200bmailto:ada@").encode(),
        PLAIN.encode() + b"\r\n\0\0\0\0",
        PLAIN.replace("\r\n", "\r\r\n").encode() + b"\x1a",
        PLAIN.replace("Email,Name", "E\u2011mail:,* Name *").encode(),
        PLAIN.replace("Email,Name", "\ufeff'Email (primary)',Name").encode("utf-8-sig"),
        PLAIN.encode() + b"ADA@example.org,\r\n",
        b"Table 1\r\n" + PLAIN.encode(),
        b"Readers of 2026;\r\n;\r\n" + PLAIN.replace(",", ";").encode(),
    ],
)
def test_spreadsheets_in_every_form_are_read(source: bytes) -> None:
    found = read(source)
    assert emails(found) == ["ada@example.org", "bob@example.org"]
    assert names(found) == ["Jürgen", "Bob"]
    assert found.mistakes == ()


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.org\nbob@example.org\n",
        "\n\nada@example.org;\r\nbob@example.org;;\r\n",
        '"Lovelace, Ada" <ada@example.org>\nBob <bob@example.org>\n',
        '"ada@example.org"\n"bob@example.org"',
    ],
)
def test_list_of_addresses_needs_no_header(text: str) -> None:
    assert emails(read(text)) == ["ada@example.org", "bob@example.org"]


def test_cell_may_have_several_lines() -> None:
    found = read('email,name,include\r\na@x.org,"A\r\nB","one;\r\ntwo"\r\nnobody,,\r\n')
    assert names(found) == ["A B"]
    assert [rule.text for rule in found.readers[0].subscriber.filter.include] == ["one", "two"]
    assert str(found.mistakes[0]).startswith("readers.csv:5: subscribers.1.email: ")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("nobody,N", "must have an @-sign"),
        ("b\0@x.org,B", "invalid characters"),
        ('"b@x.org,B', "this row cannot be read"),
        ("b@x.org,B,more", "beyond the last column: more"),
        ("b@x.org;c@x.org,B", "is not a valid email address"),
        ('b@x.org,"B "the" B"', "this row cannot be read"),
        (",B", "this row has no address"),
        ("a@x.org,B,Reasoning", "is already on line 2"),
    ],
)
def test_bad_row_is_named_and_the_others_read(bad: str, said: str) -> None:
    topics = ",topics" if "Reasoning" in bad else ""
    found = read(f'email,name{topics}\na@x.org,A\n{bad}\nd@x.org,"D, E"\n')
    assert emails(found) == ["a@x.org", "d@x.org"]
    (mistake,) = found.mistakes
    assert str(mistake).startswith("readers.csv:3: ")
    assert said in str(mistake)
    with pytest.raises(InvalidFileError, match="2 readers are without a mistake: --skip-invalid"):
        found.checked()


def test_times_and_dates_of_spreadsheets_are_read() -> None:
    (reader,) = read("email,at,paused_until\na@x.org,7:30:00,01.09.2026\n").checked()
    assert reader.subscriber.at == "07:30"
    assert str(reader.subscriber.paused_until) == "2026-09-01"
    ambiguous = read("email,paused_until\na@x.org,01/09/2026\n")
    assert "readers.csv:2: subscribers.0.paused_until" in str(ambiguous.mistakes[0])
    ghost = EXPORTS["Ghost"].replace("2026-01-02T10:00:00.000Z", "02.01.2026 10:00")
    assert {reader.consented for reader in read(ghost).readers} == {at("2026-01-02T00:00:00")}


@pytest.mark.parametrize("begins", [b"PK\x03\x04\x14", b"\xd0\xcf\x11\xe0\xa1"])
def test_workbook_is_refused_with_the_remedy(begins: bytes) -> None:
    with pytest.raises(ConfigurationError, match="save the sheet as CSV"):
        read(begins, "readers.xlsx")


def test_columns_are_named_if_they_are_ignored() -> None:
    found = read("Email,Company,Phone,,\na@x.org,X,1,,\n")
    assert found.notes == ("ignored columns: Company, Phone",)
    with pytest.raises(ConfigurationError, match="1: there is no column 'topic'; did you mean"):
        read("email,topic\na@x.org,Reasoning\n")
    with pytest.raises(ConfigurationError, match="two columns are the email"):
        read("Email,E-mail\na@x.org,b@x.org\n")
    assert "Windows-1252" in read("email,name\na@x.org,ü\n".encode("cp1252")).notes[0]


# -- what other programs export --------------------------------------------------------------------

MAILCHIMP = (
    '"Email Address","First Name","Last Name",MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,'
    "CONFIRM_IP,TIMEZONE,LAST_CHANGED,{}LEID,EUID,NOTES,TAGS\n"
)
GONE = "UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER,"
CLEANED = "CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID,"
MAILCHIMP_FILES = {
    "subscribed_members_export_1.csv": MAILCHIMP.format("")
    + 'ada@x.org,Ada,L,2,"2026-01-01 10:00:00",,"2026-01-02 10:00:00",,America/New_york,,1,a,,\n'
    + 'bob@x.org,Bob,,2,"2026-01-03 10:00:00",,,,,,2,b,,"""VIP"""\n',
    "unsubscribed_members_export_1.csv": MAILCHIMP.format(GONE)
    + 'cyd@x.org,,,2,,,"2026-01-02 10:00:00",,,,"2026-02-02 10:00:00",T,1,normal,,3,c,,\n'
    + "dan@x.org,,,2,,,,,,,,,,,,4,d,,\n"
    + 'bob@x.org,,,2,,,,,,,"2026-02-03 10:00:00",T,1,normal,,3,c,,\n',
    "cleaned_members_export_1.csv": MAILCHIMP.format(CLEANED)
    + 'eve@x.org,,,2,,,,,,,"2026-02-04 10:00:00",T,1,5,e,,\n',
    "nonsubscribed_members_export_1.csv": MAILCHIMP.format("") + "fay@x.org,,,2,,,,,,,6,f,,\n",
}


def test_mailchimp_archive_keeps_who_left(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "audience.zip", "w") as archive:
        for name, text in MAILCHIMP_FILES.items():
            archive.writestr(f"audience/{name}", text)
        archive.writestr("__MACOSX/audience/x.csv", "\0")
        archive.writestr("stats.csv", "campaign,opens\nT,1\n")
    found = read_zip((tmp_path / "audience.zip").read_bytes(), "audience.zip", TOPICS)
    readers = {reader.subscriber.email: reader for reader in found.checked()}
    assert {email: reader.status for email, reader in readers.items()} == {
        "ada@x.org": "confirmed",
        "bob@x.org": "unsubscribed",
        "cyd@x.org": "unsubscribed",
        "dan@x.org": "unsubscribed",
        "eve@x.org": "blocked",
    }
    assert readers["ada@x.org"].consented == at("2026-01-02T10:00:00")
    assert readers["cyd@x.org"].since == at("2026-02-02T10:00:00")
    assert readers["ada@x.org"].subscriber.name == "Ada L"
    assert readers["ada@x.org"].subscriber.timezone is None
    assert found.origin == "Mailchimp"
    assert any("1 row left out: of readers who never confirmed" in note for note in found.notes)


@pytest.mark.parametrize("source", [b"", b"PK\x03\x04 cut", b"email\na@x.org\n"])
def test_archive_that_cannot_be_read_is_refused(source: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"audience\.zip: this is not a ZIP file"):
        read_zip(source, "audience.zip", TOPICS)


def test_archive_without_a_known_list_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("other.csv", "email\na@x.org\n")
    with pytest.raises(ConfigurationError, match="no list of readers in it that is known"):
        read_zip(out.getvalue(), "audience.zip", TOPICS)


EXPORTS = {
    "listmonk": (
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        'u1,ada@x.org,Ada,"{""a"": ""b""}",enabled,2026-01-02 10:00:00.12 +0000 UTC,x\n'
        "u2,bob@x.org,Bob,{},disabled,2026-01-02 10:00:00,x\n"
        "u3,eve@x.org,Eve,{},blocklisted,2026-01-02 10:00:00,x\n"
    ),
    "Ghost": (
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,"
        "deleted_at,labels,tiers\n"
        "1,ada@x.org,Ada,,true,false,,2026-01-02T10:00:00.000Z,,,\n"
        "2,bob@x.org,Bob,,false,false,,2026-01-02T10:00:00.000Z,,,\n"
        "3,cyd@x.org,Cyd,,true,false,,2026-01-02T10:00:00.000Z,2026-02-02T10:00:00.000Z,,\n"
    ),
    "Buttondown": (
        "id,creation_date,email_address,notes,metadata,tags,type,unsubscription_date,"
        "undeliverability_date\n"
        "1,2026-01-02T10:00:00Z,ada@x.org,,{},[],premium,,\n"
        "2,2026-01-02T10:00:00Z,bob@x.org,,{},[],unsubscribed,2026-02-02T10:00:00Z,\n"
        "3,2026-01-02T10:00:00Z,eve@x.org,,{},[],undeliverable,,2026-02-02T10:00:00Z\n"
        "4,2026-01-02T10:00:00Z,fay@x.org,,{},[],unactivated,,\n"
    ),
    "Substack": (
        "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n"
        "ada@x.org,false,,other,false,2026-01-02T10:00:00.000Z,\n"
        "bob@x.org,true,2027-01-01T00:00:00.000Z,yearly,true,2026-01-02T10:00:00.000Z,\n"
    ),
}


@pytest.mark.parametrize("origin", EXPORTS)
def test_exports_of_other_programs_keep_status_and_dates(origin: str) -> None:
    found = read(EXPORTS[origin])
    assert found.origin == origin
    found.checked()
    wanted = {
        "ada@x.org": "confirmed",
        "bob@x.org": "unsubscribed",
        "cyd@x.org": "unsubscribed",
        "eve@x.org": "blocked",
    }
    assert states(found) == {email: wanted[email] for email in states(found)}
    assert len(found.readers) >= 2
    assert {reader.consented for reader in found.readers} == {at("2026-01-02T10:00:00")}
    assert any(note.startswith("ignored columns: ") for note in found.notes)
    assert ("never confirmed" in str(found.notes)) is ("fay@x.org" in EXPORTS[origin])


def test_new_substack_list_and_unsubscribers_file_are_read() -> None:
    found = read(
        "Email,Name,Stripe plan,Cancel date,Start date,Paid upgrade date,Type\n"
        "ada@x.org,Ada,,2026-03-01T00:00:00Z,2026-01-02T10:00:00.000Z,,Free\n"
    )
    assert (found.origin, states(found)) == ("Substack", {"ada@x.org": "confirmed"})
    gone = read("email_address,unsubscription_date\nbob@x.org,\n", "unsubscribers.csv")
    assert (gone.origin, states(gone)) == ("Buttondown", {"bob@x.org": "unsubscribed"})


def test_columns_of_any_program_say_who_left() -> None:
    found = read(
        "Email;Subscribed;Unsubscribed;Unsubscribed at;Bounced at;Subscribed on\n"
        "a@x.org;yes;no;;;2026-01-02\n"
        "b@x.org;no;;;;\n"
        "c@x.org;;2026-02-02;;;\n"
        "d@x.org;;;2026-02-02 10:00;;\n"
        "e@x.org;yes;;;2026-02-02;\n"
    )
    left = dict.fromkeys(("b@x.org", "c@x.org", "d@x.org"), "unsubscribed")
    assert states(found) == {"a@x.org": "confirmed", **left, "e@x.org": "blocked"}
    assert found.readers[0].consented == at("2026-01-02T00:00:00")
    assert found.readers[3].since == at("2026-02-02T10:00:00")


def test_unknown_status_is_a_mistake() -> None:
    found = read(
        "email,Status\na@x.org,Subscribed\nb@x.org,odd\nc@x.org,Pending\nd@x.org,CLEANED\n"
    )
    assert states(found) == {"a@x.org": "confirmed", "d@x.org": "blocked"}
    assert "readers.csv:3: the status 'odd' is not known; write one of" in str(found.mistakes[0])
    ghost = EXPORTS["Ghost"].replace("Bob,,false", "Bob,,perhaps")
    assert "neither yes nor no" in str(read(ghost).mistakes[0])


# -- files that went wrong -------------------------------------------------------------------------

RIGHT = [f"r{n}@example.org" for n in range(4)]
ALPHABET = "\",;\t\r\n\\'=@|a\0é<>"


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_file_names_no_wrong_reader(data: st.DataObject) -> None:
    """Whatever is put into a file, no address appears that is not one of its texts."""
    text = "email,name,include\n" + "".join(f'{email},"N, M","x; y"\n' for email in RIGHT)
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(st.text(ALPHABET, max_size=3)) + text[place:]
    encoding = data.draw(st.sampled_from(["utf-8", "utf-16", "cp1252"]))
    source = text.encode(encoding)
    cut = data.draw(st.integers(0, len(source)))
    try:
        found = read(source[:cut])
    except ConfigurationError:
        return
    for email in emails(found):
        local, _, domain = email.partition("@")
        assert f"{local}@{domain.encode().decode('idna')}" in text.lower()


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damaged_archive_is_read_or_refused(data: st.DataObject) -> None:
    out = io.BytesIO()
    packing = data.draw(
        st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    )
    with zipfile.ZipFile(out, "w", packing) as archive:
        archive.writestr("cleaned_x.csv", MAILCHIMP_FILES["cleaned_members_export_1.csv"])
    source = bytearray(out.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(1, len(source)))  # from the end, where the directory is
        source[-place] = data.draw(st.integers(0, 255))
    source = source[data.draw(st.sampled_from([0, 0, 7])) :]
    with contextlib.suppress(ConfigurationError):
        assert emails(read_zip(bytes(source), "a.zip", TOPICS)) in ([], ["eve@x.org"])


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["r.csv", "cleaned.csv"]))
def test_any_bytes_are_read_or_refused(source: bytes, file: str) -> None:
    for read_any in (read_csv, read_zip):
        with contextlib.suppress(ConfigurationError):
            read_any(source, file, TOPICS)
