"""What publishers put around abstracts; the texts are written for these tests."""

import pytest

from newsletter.sources.boilerplate import Boilerplate, split_boilerplate
from newsletter.text import unmarked

TEXT = "Waves behave."
ACS = "10.1021/acs.fict.6c00001"


@pytest.mark.parametrize(
    ("markup", "right"),
    [
        (
            (
                "<p>Publication date: December 2026</p><p><b>Source:</b> Fictions, Volume 12</p>"
                "<p>Author(s): Ann Alpha, Ben Beta</p>"
            ),
            Boilerplate("", ("Ann Alpha, Ben Beta",), ("December 2026",)),
        ),
        (
            (
                "Publication date: Available online 3 August 2026<br><b>Source:</b> J. Fict.<br>"
                f"Author(s): Ann Alpha<br><br>{TEXT}"
            ),
            Boilerplate(TEXT, ("Ann Alpha",), ("Available online 3 August 2026",)),
        ),
        (
            (
                "<p>Nature, Published online: 30 November 2026; <a href='https://x.example'>"
                f"doi:10.1038/s1</a></p>{TEXT}"
            ),
            Boilerplate(TEXT, (), ("30 November 2026",), ("10.1038/s1",)),
        ),
        (
            (
                f"<p>Author(s): Ann Alpha and Ben Beta</p><p>{TEXT}</p><br/>[Phys. Rev. F 1, 2] "
                "Published Mon Nov 30, 2026"
            ),
            Boilerplate(TEXT, ("Ann Alpha and Ben Beta",), ("Mon Nov 30, 2026",)),
        ),
        (
            "Volume 12, Issue 3, November 2026, Page 1-20<br/>. <br/>",
            Boilerplate("", (), ("November 2026",)),
        ),
        ("Journal of Fiction, EarlyView. ", Boilerplate("")),
        (f"Summary{TEXT}", Boilerplate(TEXT)),
        (f"Abstract\n{TEXT}", Boilerplate(TEXT)),
        (f"<b>Authors:</b> Ann Alpha<br/>Abstract: {TEXT}", Boilerplate(TEXT, ("Ann Alpha",))),
        (f"<p>{TEXT}</p><p>The post X appeared first on J. Fict.</p>", Boilerplate(TEXT)),
        (f"<p>{TEXT}</p><p><a href='x'>Read more</a> »</p>", Boilerplate(TEXT)),
        ("No abstract available.", Boilerplate("")),
        (f"Journal of Fiction, Ahead of Print. <br/>{TEXT}", Boilerplate(TEXT)),
        (
            f"Journal of Fiction, Volume 12, Issue 3, Page 1-20, November 2026. <br/>{TEXT}",
            Boilerplate(TEXT, (), ("November 2026",)),
        ),
        (
            f"<div><cite>Journal of Fiction</cite></div><div>DOI: {ACS}</div>",
            Boilerplate("", (), (), (ACS,)),
        ),
        (
            (
                "<p>J Fict. 2026 Nov 3;10(5):1. doi: 10.3390/x1.</p><p><b>ABSTRACT</b></p>"
                f"<p>{TEXT}</p><p>PMID:<a>39</a> | PMC:<a>PMC9</a> | DOI:<a>10.3390/x1</a></p>"
            ),
            Boilerplate(TEXT, (), (), ("10.3390/x1", "10.3390/x1")),
        ),
        (
            (
                "<p><b>Fictions, Vol. 2, Pages 1: T</b></p>\n<p>Fictions <a>doi: 10.3390/x1</a></p>"
                f"\n<p>Authors:\n\tAnn Alpha\n\tBen Beta\n</p>\n<p>{TEXT}</p>"
            ),
            Boilerplate(TEXT, ("Ann Alpha\nBen Beta",), (), ("10.3390/x1",)),
        ),
        (f"<p>by Ann Alpha, Ben Beta</p>\n{TEXT}", Boilerplate(TEXT, ("Ann Alpha, Ben Beta",))),
        *(
            (f"{head}{TEXT}", Boilerplate(TEXT, (), (date,), (f"10.1038/{doi}",)))
            for head, date, doi in (
                (
                    "Nature, Published online: 18 August 2026; doi:10.1038/s41586-026-09999-9",
                    "18 August 2026",
                    "s41586-026-09999-9",
                ),
                (
                    "Nature Fiction, published online 2026-08-18. https://doi.org/10.1038/s1-2-3. ",
                    "2026-08-18",
                    "s1-2-3",
                ),
                ("Published online: August 18, 2026; | doi: 10.1038/x1 ", "August 18, 2026", "x1"),
            )
        ),
        (f"Fictions, Vol 12, Issue 3, May 2026. {TEXT}", Boilerplate(TEXT, (), ("May 2026",))),
        (f"ABSTRACT {TEXT}", Boilerplate(TEXT)),
        (f"<p>{TEXT}</p><p>doi: 10.5281/data.1</p>", Boilerplate(TEXT)),
        (f"© 2026 The Authors. {TEXT} © 2026 Fiction Ltd. All rights reserved.", Boilerplate(TEXT)),
        (f"{TEXT}nnHighlightBees dance.", Boilerplate(f"{TEXT}\n\nHighlight: Bees dance.")),
        (f"{TEXT}nnResultsWe find it.", Boilerplate(f"{TEXT}\n\nResults: We find it.")),
        (f"<h3>Abstract</h3>\n<p>{TEXT}</p>", Boilerplate(TEXT)),
    ],
)
def test_publisher_form_is_read_out(markup: str, right: Boilerplate) -> None:
    assert split_boilerplate(unmarked(markup)) == right


@pytest.mark.parametrize(
    "text",
    [
        "By changing x we show y.",
        "In this volume, Volume 1, Issue 2 is discussed at length.",
        "Author(s) of novels write a lot.",
        "The journal, Published online: a study; doi: none.",
        "Abstract interpretation is a method.",
        "Abstract Meaning Representation draws graphs.",
        "Data stand at https://doi.org/10.5281/data.1",
        "Published online: a study of 2026.",
        "We study [Phys. Rev. A 1, 2] Published results.",
    ],
)
def test_real_abstract_stays_whole(text: str) -> None:
    assert split_boilerplate(text) == Boilerplate(text)


@pytest.mark.parametrize(
    "piece", ["by a", "by " + "a" * 50, "a" + " " * 30_000 + "b", "Source: ", "A, Volume "]
)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    text = (piece * (40_000 // len(piece))).strip()
    assert split_boilerplate(text).abstract == " ".join(text.split())
