"""``python -m newsletter`` and the ``newsletter`` command."""

import io
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from newsletter.cli import run  # noqa: PLC0415 - `import newsletter` must stay cheap

    _speak_every_language()
    sys.exit(run(sys.argv[1:]))


def _speak_every_language() -> None:
    """Let no title stop a command: data is UTF-8, a terminal shows what it can."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="replace")


if __name__ == "__main__":
    main()
