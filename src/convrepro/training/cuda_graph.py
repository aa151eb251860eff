"""Steps captured in one CUDA graph, each on a stream of its own."""

from collections.abc import Callable, Iterable, Sequence

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
        for generator in generators:
            self._graph.register_generator_state(generator)
        main: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._streams = [torch.cuda.Stream(device) for _ in steps]  # type: ignore[no-untyped-call]
        torch.cuda.synchronize(device)
        with torch.cuda.graph(self._graph, stream=main):
            for stream, step in zip(self._streams, steps, strict=True):
                stream.wait_stream(main)
                with torch.cuda.stream(stream):
                    step()
            for stream in self._streams:
                main.wait_stream(stream)
            after()

    def replay(self) -> None:
        self._graph.replay()


def run_on_side_streams(steps: Sequence[Step], device: torch.device) -> None:
    """Runs each step once, each on a stream of its own: what a capture asks for beforehand."""
    current = torch.cuda.current_stream(device)
    for step in steps:
        stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            step()
        current.wait_stream(stream)
