"""Benches of speed and memory.

Each is a program: ``python -m bench.NAME --help`` lists its options.

Matching and composing, without a store or a network:

- ``match``: matching all readers' filters with bitmasks, against one search per reader and paper;
- ``compose``: composing letters from fragments, against rendering each one with a template;
- ``copies``: whether papers that are the same by their texts are found, and no others;
- ``topics``: how well wishes in plain words and curated topics match, on labelled papers;
- ``wishes``: time and memory of matching wishes in plain words.

The ledger:

- ``ledger``: claims, marks and settlements per second, by the number of letters in a group;
- ``audit``: the time ``newsletter audit`` takes over a whole issue;
- ``storage``: the bytes that a store takes, by table, and the memory of ``newsletter why --all``.

Sending:

- ``send``: letters per second and CPU per letter, ledger included, against one constant message;
- ``latency``: letters per round trip to a distant server;
- ``relays``: time and refusals at servers with limits of many kinds;
- ``growth``: cost of a letter as the number of readers grows;
- ``memory``: resident memory of a whole ``newsletter send`` and of its parts.

Everything else:

- ``fetch``: reading a feed, in this process and in the child process that a fetch uses;
- ``pages``: the readers' pages with many readers and papers, and while letters are leaving;
- ``past_days``: ``newsletter topics test`` with every bundled topic;
- ``preview``: the time until the preview page is shown, and until it shows a saved change.

``labelled`` reads labelled papers, ``rivals`` has the engines that wishes are compared with,
``fitting`` fits the engine's weights, ``likes`` measures what liked papers change. ``workload``
makes the seeded papers and readers, ``naive`` is the obvious renderer to compare with, ``sending``
and ``turns`` run one sender in its own process, ``servers`` starts the SMTP servers, ``checking``
compares what they received with what ``naive`` renders, ``resident`` reads memory.

What happens when a sender fails is tested in ``tests/faults``.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The folder of the checkout."""
