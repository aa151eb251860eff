"""What TensorBoard shows of a training. Its own writer has a thread, whose errors nobody can catch."""

import itertools
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from convrepro import durable

_numbers = itertools.count()


class EventLog:
    """A file of events, made when there is something to log.

    Args:
        folder: that TensorBoard is shown; it has a file of each start of the training.
    """

    def __init__(self, folder: Path) -> None:
        number = next(_numbers)
        self._path = folder / f"events.out.tfevents.{time.time():010.0f}.{platform.node()}.{os.getpid()}.{number}"

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Appends values to their curves.

        Raises:
            OSError: if they cannot be written.
        """
        now = time.time()
        events = [
            Event(wall_time=now, step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)]))
            for name, value in metrics.items()
        ]
        with durable.full_disk_named(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                writer = RecordWriter(file)
                if file.tell() == 0:
                    writer.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
                for event in events:
                    writer.write(event.SerializeToString())
