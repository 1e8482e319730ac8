"""SIGTERM: a run that is asked to stop finishes what is past its mark and gives the rest back."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from newsletter.errors import TryAgainError


async def until_terminated(work: Coroutine[Any, Any, object]) -> None:
    """Do the work; SIGTERM cancels it, and it waits for the answers to letters on the wire.

    Raises:
        TryAgainError: it was stopped by SIGTERM.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError as error:
        raise TryAgainError("stopped by SIGTERM; run the same command again to continue") from error
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
