"""Greenlets share a connection as threads do, and block only themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("greenlets.py")

pytest.importorskip("gevent")


def test_many_publish_and_one_consumes(url):
    done = subprocess.run(
        [sys.executable, SCRIPT, url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stdout == "done\n", done.stderr
