"""``python -m newsletter`` and the ``newsletter`` command."""

import io
import sys


def main() -> None:
    """Run the command line and exit with its exit code."""
    from newsletter.cli import run  # noqa: PLC0415 - `import newsletter` must stay cheap

    # No title in any script may stop a command: data is UTF-8, a terminal shows what it can.
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="replace")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
