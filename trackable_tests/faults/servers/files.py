"""Kombu's transport through files: a broker without a process, and without acknowledgements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trackable_tests.faults.servers.base import Broker


class FileBroker(Broker):
    """What is taken from a queue and not folded is gone from it."""

    name = "filesystem"

    def start(self) -> None:
        for folder in self._folders():
            folder.mkdir(exist_ok=True)

    @property
    def transport_options(self) -> dict[str, Any]:
        messages, processed, control = map(str, self._folders())
        return {
            "data_folder_in": messages,
            "data_folder_out": messages,
            # Otherwise they are processed in the machine's folder for temporary files.
            "store_processed": True,
            "processed_folder": processed,
            "control_folder": control,
        }

    def url(self, port: int | None = None) -> str:
        return "filesystem://"

    def flush(self) -> None:
        messages, processed, _ = self._folders()
        for file in [*messages.iterdir(), *processed.iterdir()]:
            file.unlink(missing_ok=True)

    def restart_empty(self) -> None:
        self.flush()

    def _folders(self) -> list[Path]:
        return [self.folder / name for name in ("messages", "processed", "control")]
