"""How much returned mail is understood: read a folder of mails and say what was made of them.

``python -m bench.bounces FOLDER [--expect FILE] [--since 2016] [--left]`` reads the maildirs, mbox
files and single mails below a folder, and copies nothing. An expectation is a line
``name<TAB>word``: one of our meanings, or reasons in Sisimai's words (``userunknown,mailboxfull``).
"""

import argparse
import mailbox
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from newsletter.bounces.parsing import Meaning, ParsedMail, parse

GONE = frozenset({"hard", "userunknown", "hostunknown", "hasmoved", "suspend", "filtered"})
"""Expectations under which a hard bounce is right. ``filtered``: "no such user", but after DATA."""

RIGHT: dict[Meaning, frozenset[str]] = {
    "hard": GONE,
    "complaint": frozenset({"complaint", "feedback"}),
    "unsubscribe": frozenset({"unsubscribe"}),
}
"""Expectations under which a meaning that can end a subscription is right."""

_YEAR = re.compile(rb"^Date:[^\n]*?\b((?:19|20)\d\d)\b", re.IGNORECASE | re.MULTILINE)


def mails(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The mails below a folder by name; an mbox file holds several."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if content.startswith(b"From ") and content.count(b"\nFrom ") > 0:
            for number, mail in enumerate(mailbox.mbox(path, create=False), start=1):
                yield f"{path.relative_to(folder)}#{number}", mail.as_bytes()
        elif not content.startswith(b"#!") and b":" in content[:2_000]:
            yield str(path.relative_to(folder)), content


def read_expected(path: Path | None) -> dict[str, set[str]]:
    """The expectations of a file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path else []
    pairs = (line.split("\t", 1) for line in lines if "\t" in line)
    return {name: set(reasons.split(",")) for name, reasons in pairs}


def report(found: dict[str, ParsedMail], expected: dict[str, set[str]], *, left: bool) -> None:
    """Print what was understood, what was wrong, and what was left."""
    meanings = Counter(mail.meaning for mail in found.values())
    understood = len(found) - meanings["unreadable"]
    share = 100 * understood / max(len(found), 1)
    print(f"{len(found)} mails, understood {understood} ({share:.1f} %)")
    print(", ".join(f"{meaning} {count}" for meaning, count in meanings.most_common()))
    for meaning, right in RIGHT.items():
        judged = {n: m for n, m in found.items() if m.meaning == meaning and n in expected}
        wrong = {n: m for n, m in judged.items() if not expected[n] & right}
        print(f"wrong {meaning}: {len(wrong)} of {len(judged)} that have an expectation")
        for name, mail in wrong.items():
            print(f"  {name}: expected {', '.join(expected[name])}, said {mail.said[:120]}")
    missed = Counter(
        reason
        for name, mail in found.items()
        if mail.meaning != "hard"
        for reason in expected.get(name, set()) & GONE
    )
    print(f"not taken for hard: {dict(missed)}")
    for name, mail in found.items() if left else ():
        if mail.meaning == "unreadable":
            print(f"left {name}: {mail.said}")


def main() -> int:
    """Measure a folder."""
    parser = argparse.ArgumentParser(prog="python -m bench.bounces", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--expect", type=Path, help="a file of expectations")
    parser.add_argument("--since", type=int, default=0, help="leave out mails of earlier years")
    parser.add_argument("--left", action="store_true", help="name the mails that are left")
    arguments = parser.parse_args()
    chosen = {
        name: content
        for name, content in mails(arguments.folder)
        if max((int(year) for year in _YEAR.findall(content)), default=0) >= arguments.since
    }
    start = perf_counter()
    found = {name: parse(content) for name, content in chosen.items()}
    seconds = perf_counter() - start
    report(found, read_expected(arguments.expect), left=arguments.left)
    print(f"{1000 * seconds / max(len(found), 1):.1f} ms a mail")
    return 0


if __name__ == "__main__":
    sys.exit(main())
