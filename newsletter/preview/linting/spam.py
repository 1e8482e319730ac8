"""What SpamAssassin says of a letter, where it is installed."""

import asyncio
import re
import shutil

from newsletter.preview.linting.finding import Finding

PROGRAM = "spamassassin"
PATIENCE = 60
"""Seconds it may take; it starts anew for each letter."""

BAR = 0.0
"""The highest score; without network and training it is about the letter alone."""

_GENTLY = ("nice", "-n", "19") if shutil.which("nice") else ()
"""The letter on the page goes first."""

_SCORE = re.compile(
    rb"^X-Spam-Status:.*?score=(-?[\d.]+).*?tests=(.*?)(?:\s\w+=|\r?\n\S)", re.DOTALL | re.MULTILINE
)


async def spam_finding(content: bytes) -> Finding:
    """The letter's score, found without network."""
    program = shutil.which(PROGRAM)
    if program is None:
        said = "SpamAssassin is not installed; on Debian: apt-get install spamassassin"
        return Finding("notice", "spam", said)
    asked = await asyncio.create_subprocess_exec(
        *_GENTLY, program, "-L", "-t",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answer, _ = await asyncio.wait_for(asked.communicate(content), PATIENCE)
    except TimeoutError:
        asked.kill()
        await asked.wait()
        return Finding("notice", "spam", f"SpamAssassin did not answer in {PATIENCE} seconds")
    return _read(answer)


def _read(answer: bytes) -> Finding:
    found = _SCORE.search(answer)
    if found is None:
        return Finding("notice", "spam", "SpamAssassin gave no score")
    score, tests = (
        float(found[1]),
        ", ".join(re.split(r"[,\s]+", found[2].decode("ascii", "replace"))),
    )
    said = f"SpamAssassin: {score:.1f} ({tests})"
    return Finding("wrong" if score > BAR else "fine", "spam", said)
