"""Regular expressions that are long lists of words, in a form that can be read."""

import re


def pattern(lines: str, flags: int = 0, **names: str) -> re.Pattern[str]:
    """A regular expression of lines that each hold alternatives.

    A name in capitals stands for the alternatives of other lines, given under that name; earlier
    ones may hold later ones.
    """
    words = "|".join(line.strip() for line in lines.strip().splitlines())
    for name, others in names.items():
        words = words.replace(name, pattern(others).pattern)
    return re.compile(words, flags)
