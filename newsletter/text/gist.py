"""The sentences of an abstract that say what a paper did and what came of it.

The first one says what was done, without its lead-in; the last one is the last later sentence with
a number and a result. Nothing is cut within a clause. A text that has no such sentence, for example
one in a language that the cues do not know, is shown from its beginning.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from newsletter.text.cues import (
    A_RESULT,
    SHORTEST,
    done_score,
    has_number,
    has_verb,
    passive_score,
    result_weight,
    tells_of_others,
    tells_place,
)
from newsletter.text.handles import handle
from newsletter.text.languages import language
from newsletter.text.sentences import capital, parts_of, sentence_ends
from newsletter.text.shortening import shorten

LONGEST = 2_000  # characters; a longer sentence is none, and is cut
_READ_OF_ONE = 900  # characters of a sentence that are read
_READ = 8_000  # characters of an abstract
_TELLING = 500  # characters that show the language
_FEWEST_OF_LEAD = 3  # sentences


class Sentence(NamedTuple):
    """A sentence at its place in an abstract; ``weight`` is how much of a result it has."""

    place: int
    text: str
    weight: int = 0


class Gist(NamedTuple):
    """An abstract, with the sentence that says what was done and those after it that may follow."""

    text: str
    did: Sentence | None
    told: Sequence[Sentence]

    def short(self, limit: int) -> str:
        """What was done and the result, in about ``limit`` characters.

        Where there is no room for both, what was done ends at a clause, or stands alone; one
        sentence that is longer stays whole.
        """
        if self.did is None:
            return _beginning(self.text, 2, limit)
        for second in self._results() or self.told[:1]:
            if both := _together(self.did, second, limit):
                return both
        return _fitting(self.did.text, limit)

    def lead(self, limit: int) -> str:
        """What was done, how, and the results: three or four sentences in their order."""
        if self.did is None:
            return _beginning(self.text, 4, limit)
        results = self._results()
        best = (*results[:1], *self.told[:1], *results[1:2])
        chosen, size = [self.did], len(self.did.text)
        for each in (*best, *self.told[1:]):
            size_then = size + 1 + len(each.text)
            is_wanted = len(chosen) < _FEWEST_OF_LEAD or each in best
            if is_wanted and each not in chosen and size_then <= limit:
                chosen.append(each)
                size = size_then
        if len(chosen) == 1:
            return _fitting(self.did.text, limit)
        chosen.sort()
        before = (-1, *(each.place + 1 for each in chosen))
        return " ".join(
            each.text if each.place == tied else _opened(each.text)
            for each, tied in zip(chosen, before, strict=False)
        )

    def _results(self) -> list[Sentence]:
        """The results, those with numbers first, and of equal ones the last first."""
        good = [each for each in self.told if each.weight >= A_RESULT]
        return sorted(good, key=lambda each: (each.weight, each.place), reverse=True)


def find_gist(text: str, title: str = "") -> Gist:
    """What an abstract says of its paper. Linear in the length of the text.

    The title helps to find the sentence that introduces what it names ("VibeBench: …").
    """
    text = _without_cut_end(text)
    if language(text[:_TELLING]):
        return Gist(text, None, ())
    sentences = list(parts_of(text[:_READ]))
    name = handle(title)
    scores = [done_score(each[:_READ_OF_ONE], part, name) for each, part in sentences]
    if max(scores, default=0) <= 0:
        scores = [passive_score(each[:_READ_OF_ONE], part) for each, part in sentences]
    if max(scores, default=0) <= 0:
        return Gist(text, None, ())
    place = scores.index(max(scores))
    told = [
        Sentence(at, each, result_weight(each[:_READ_OF_ONE], part, is_next=at == place + 1))
        for at, (each, part) in enumerate(sentences[place + 1 :], place + 1)
        if part != "other" and _stands_alone(each[:_READ_OF_ONE])
    ]
    if not any(each.weight >= A_RESULT for each in told):
        told += _earlier(sentences[:place])
    return Gist(text, Sentence(place, sentences[place][0]), told)


def _earlier(sentences: Sequence[tuple[str, str]]) -> list[Sentence]:
    """The last result of the authors' own, where what was done comes after it."""
    own = [
        Sentence(place, text, weight)
        for place, (text, part) in enumerate(sentences)
        if ("our " in text.lower() or "we " in text.lower())
        and (weight := result_weight(text[:_READ_OF_ONE], part)) >= A_RESULT
    ]
    return own[-1:]


def _together(did: Sentence, second: Sentence, limit: int) -> str:
    """What was done beside another sentence, in the longest forms that keep its number."""
    whole, is_counted = _opened(did.text), has_number(second.text)
    shorter: list[str] | None = None
    for then in _forms(second.text, is_tied=second.place != did.place + 1):
        room = limit - len(then) - 1
        if len(whole) > room and shorter is None:
            shorter = list(_clauses(whole))
        first = next((form for form in (whole, *(shorter or ())) if len(form) <= room), None)
        if first and (has_number(then) or not is_counted):
            return f"{first} {then}" if did < second else f"{then} {first}"
    return ""


def _stands_alone(text: str) -> bool:
    """Whether a sentence can stand beside another one; a piece of a list cannot."""
    first = _FIRST_ITEM.search(text) if ") " in text else None
    is_piece = _ITEM.match(text) or (first and not _SECOND_ITEM.search(text, first.end()))
    is_own = not (tells_place(text.lower()) or tells_of_others(text))
    return is_own and not (is_piece or text.endswith("?"))


def _beginning(text: str, most: int, limit: int) -> str:
    """The first whole sentences; as many as there is room for, where spaces do not part them."""
    ends = list(sentence_ends(text[:_READ]))
    if not language(text[:_TELLING]):
        ends = ends[:most]
    places = (at for at, end in enumerate(ends) if tells_place(text[(0, *ends)[at] : end].lower()))
    ends = ends[: max(1, next(places, len(ends)))]
    room = [end for end in ends if end <= limit]
    return _fitting(text[: room[-1] if room else ends[0]], limit)


def _fitting(text: str, limit: int) -> str:
    """The longest form that there is room for and that the source did not cut, or the whole."""
    fitting = [form for form in _forms(text) if len(form) <= limit]
    whole = (form for form in fitting if not form.endswith(_CUT))
    best = next(whole, fitting[0] if fitting else _opened(text))
    return best if len(best) <= LONGEST else shorten(best, LONGEST)


_CUT = ("…", "...", "…]", "...]")
"""How a text ends that its source has cut."""


def _without_cut_end(text: str) -> str:
    """The text without its last sentence if the source cut that, and it is not the only one."""
    if not text.endswith(_CUT):
        return text
    *_, end, _last = (0, *sentence_ends(text[:_READ]))
    return text[:end] or text


def _forms(text: str, *, is_tied: bool = True) -> Iterator[str]:
    """A sentence without its lead-in, whole and ended at each of its clauses, the longest first."""
    whole = _opened(text) if is_tied else text
    yield whole
    yield from _clauses(whole)


_LEAD_IN = re.compile(
    r"(?:(?:And|But|So|Yet|Thus|Hence|Therefore),? )?(?:"
    # "To address these challenges, we": what "these" are stands in another sentence
    r"(?i:to|by|in|with|based|building|motivated|inspired|guided|following|given|from|for|through"
    r"|under|as"
    r"|recogni[sz]ing|using|leveraging|addressing|drawing|against|towards?|at|on|driven|beyond"
    r"|starting|unlike)"
    r"\b(?=[^,]{0,90}\b(?:this|these|those|such|the above|that|its?|them|their|the|our|response"
    r"|contrast"
    r"|particular|addition|short|summary|light|fact|result|consequence|turn|view|total)\b)"
    r"(?![^,]{0,90}\b(?:we|is|are|was|were|has|have)\b)[^,;:.()]{2,90},"
    r"(?=\s*(?:we|our|this|the|it|they|i|an?|these|there|[A-Z]\S*)\s)"
    r"|(?i:in (?:this|the present|the current|our) (?:[\w-]+ ){0,2}(?:paper|work|study|report"
    r"|article|review|survey|letter|note|thesis|research|tutorial|chapter|contribution|manuscript)),"
    r"|(?:Here|Herein|Hereby|Therefore|Thus|Hence|Accordingly|Consequently|Specifically"
    r"|Concretely|However|Instead"
    r"|Moreover|Furthermore|Additionally|Also|Finally|Lastly|Notably|Importantly|Overall|Together"
    r"|Nevertheless"
    r"|Nonetheless|Then|Now|First|Firstly|Second|Secondly|Third|Next|Besides|Crucially|Remarkably"
    r"|Interestingly"
    r"|Surprisingly|Still|Further|Conversely|Similarly|Likewise|More broadly|More specifically"
    r"|More importantly"
    r"|As a result|As such|For (?:example|instance)|Taken together|Most importantly"
    r"|Last but not least"
    r"|Indeed|Ultimately|Collectively|Meanwhile|Empirically|Critically|Rather|Initially),"
    r"|(?:(?i:here(?:in)?|in (?:this|the present|the current|our) (?:[\w-]+ ){0,2}[\w-]+)|Now"
    r"|Then|Thus) (?=we\b)"
    r")\s*(?=[\w“])"
)
"""What ties a sentence to the one before it, or says that a paper is one."""


def _opened(text: str) -> str:
    """A sentence without its lead-in: "Thus, in this paper, we propose" says "We propose"."""
    for _ in range(2):
        if found := _LEAD_IN.match(text):
            text = capital(text[found.end() :])
    return text


_CLAUSE = re.compile(
    r"[;:]\s|—\s?|\s–\s|,\s(?:which|where|whereby|thereby|thus|while|whereas|so that"
    r"|but(?! also)|without"
    r"|with|as well as|such as|including|then"
    r"|and (?:we|it|they|on|in|for|at|then|finally)|(?:\w+ly\s)?(?:achiev|perform|match"
    r"|outperform|enabl|demonstrat|improv|reduc|lead|allow|mak|provid|show|yield|surpass|result|suggest|indicat"
    r"|highlight|reveal|offer|establish|preserv|maintain|ensur|us|leverag|spann|cover|exceed|combin"
    r"|incorporat|facilitat|support|validat|confirm|underscor|challeng|open|pav|giv|focus|extend"
    r"|integrat|eliminat|avoid|requir|deliver|resolv|promot|rang|point|elevat|amplify|mark|narrow"
    r"|driv|trigger|generat|captur)ing)\b"
)
_ITEM = re.compile(r"\(?(?:\d|[ivxIVXab]{1,4})[).]\s")
_FIRST_ITEM = re.compile(r"\(?\b[1iaIA]\) ")
_SECOND_ITEM = re.compile(r"[;,]?(?: and)? \(?\b(?:2|ii|b|II|B)\) ")


def _clauses(text: str) -> Iterator[str]:
    """The sentence ended at the end of a clause that has its verb, from the longest such one on.

    Of a list within a sentence, all items are shown, or the first one without its number.
    """
    text = text[:_READ_OF_ONE]
    if first := _FIRST_ITEM.search(text):
        head, items = text[: first.start()], text[first.end() :]
        second = _SECOND_ITEM.search(items)
        text = head + items[: second.start()] if second and not head.endswith(": ") else head
        if second and text != head and _is_whole(text):
            yield f"{text.rstrip('.')}."
    for found in reversed(list(_CLAUSE.finditer(text))):
        begin = text[: found.start()].rstrip()
        within_list = found[0][0] == ";" and ": " in begin
        if not within_list and _is_whole(begin):
            yield f"{begin}."


def _is_whole(text: str) -> bool:
    balanced = len(text) >= SHORTEST and text.count("(") == text.count(")")
    return balanced and _OPEN_END.search(text[-_LONGEST_OPEN:]) is None and has_verb(text)


_OPEN_END = re.compile(
    r"\b(?:is|are|as|by|of|in|to|and|or|into|with|that|for|from|on|at|under|when|if|where|than"
    r"|between|via|over|namely|follow(?:s|ing)|(?:includ|integrat"
    r"|compris|combin)(?:e|es|ing)|contains?|consists?)$"
)
"""The end of a beginning that asks for what follows."""

_LONGEST_OPEN = 20  # characters
