"""``python -m newsletter`` and the ``newsletter`` command."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from newsletter.cli import run  # noqa: PLC0415 - `import newsletter` must stay cheap

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
