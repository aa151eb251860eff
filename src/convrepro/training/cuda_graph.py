"""Steps captured in one CUDA graph, each on a stream of its own."""

import contextlib
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch

Step = Callable[[], None]


class CudaGraph:
    """Several independent pieces of work as one graph: launched by a single call, run side by side.

    Args:
        steps: each launches work on the current stream, reads nothing back, and has run before on any stream, so that
            what it makes once is made.
        after: launched when all steps are done.
        generators: CUDA generators that the steps draw from.
        device: of all of it.
    """

    def __init__(
        self, steps: Sequence[Step], *, after: Step, generators: Iterable[torch.Generator], device: torch.device
    ) -> None:
        self._graph = torch.cuda.CUDAGraph()
        if hasattr(self._graph, "register_generator_state"):  # newer versions of torch see by themselves who draws
            for generator in generators:
                self._graph.register_generator_state(generator)
        main: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._streams = [torch.cuda.Stream(device) for _ in steps]  # type: ignore[no-untyped-call]
        torch.cuda.synchronize(device)
        # Of other threads, such as one that pins memory, calls that cannot be captured do no harm.
        with _no_garbage_collection(), torch.cuda.graph(self._graph, stream=main, capture_error_mode="thread_local"):
            for stream, step in zip(self._streams, steps, strict=True):
                stream.wait_stream(main)
                with torch.cuda.stream(stream):
                    step()
            for stream in self._streams:
                main.wait_stream(stream)
            after()

    def replay(self) -> None:
        self._graph.replay()


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A capture breaks if an earlier graph, part of some reference cycle, is collected during it."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def mark(device: torch.device) -> Callable[[], None]:
    """A function that waits until all that was launched before this call is done."""
    event: torch.cuda.Event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    wait: Callable[[], None] = event.synchronize
    return wait


def run_on_side_streams(steps: Sequence[Step], device: torch.device) -> None:
    """Runs each step once, each on a stream of its own: what a capture asks for beforehand."""
    current = torch.cuda.current_stream(device)
    for step in steps:
        stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            step()
        current.wait_stream(stream)
