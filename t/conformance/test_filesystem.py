"""The filesystem transport keeps what every transport promises."""

from __future__ import annotations

import os
import uuid

import pytest

from kombu.testing import Harness
from kombu.testing.conformance import *  # noqa: F403
from kombu.testing.conformance.paused import *  # noqa: F403


class FilesystemHarness(Harness):
    def put_raw(self, queue, data):
        folder = self.transport_options["data_folder_in"]
        data = data if isinstance(data, bytes) else str(data).encode()
        path = os.path.join(folder, f"1_{uuid.uuid4()}.{queue}.msg")
        with open(path, "wb") as file:
            file.write(data)


@pytest.fixture
def harness(tmp_path):
    options = {
        "data_folder_in": str(tmp_path / "data"),
        "data_folder_out": str(tmp_path / "data"),
        "control_folder": str(tmp_path / "control"),
    }
    with FilesystemHarness("filesystem://", options) as harness:
        yield harness
