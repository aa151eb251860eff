"""Printed sizes, compact factors and operations against those of the described layers."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from convrepro.audits import facts
from convrepro.audits.compactness import compact_factors, parse
from convrepro.audits.counts import smoothing_macs
from convrepro.audits.finding import Finding, Judgement
from convrepro.audits.rounding import Interval, bounds, rounded
from convrepro.audits.subject import Subject, describe
from convrepro.papers.paper import UNITS

_UNITS = {**UNITS, "K": 10**3}


def size(printed: str, unit: str, counts: list[int]) -> Judgement:
    """Whether one of some parameter counts rounds to the printed number."""
    low, high = (bound * _UNITS[unit] for bound in bounds(printed))
    fitting = [count for count in counts if low <= count <= high]
    shown = fitting[:1] or counts
    text = f"{' or '.join(f'{count:,}' for count in shown)} parameters, printed {printed}{unit}"
    if fitting:
        return Judgement(word="consistent", arithmetic=text)
    value = Fraction(Decimal(printed)) * _UNITS[unit]
    cut = any(value <= count < value + 2 * (high - value) for count in counts)
    hint = ", which has the digits cut off instead of rounded" if cut else ""
    return Judgement(word="inconsistent", arithmetic=text + hint)


def factor(printed: str, attainable: tuple[float, float]) -> Judgement:
    """Whether a compact factor can round to the printed one."""
    found = Interval(*attainable)
    shown = f"{found.low:.5f}" if found.high - found.low < 1e-9 else f"{found.low:.5f} to {found.high:.5f}"
    text = f"Eq. (25) gives {shown}, printed {printed}"
    if found.overlaps(rounded(printed)):
        return Judgement(word="consistent", arithmetic=text)
    is_complement = rounded(printed).overlaps(Interval(1.0 - found.high, 1.0 - found.low))
    return Judgement(word="inconsistent", arithmetic=text + (", the complement" if is_complement else ""))


def added_macs(printed: str, baseline: str, unit: str, added: int) -> Judgement:
    """Whether two printed counts of operations can differ by so many."""
    gap = (rounded(printed) - rounded(baseline)).scaled(_UNITS[unit])
    text = f"{printed} - {baseline} is {gap.low:,.0f} to {gap.high:,.0f} operations, 2 k C H W sums to {added:,}"
    fits = gap.overlaps(Interval(added, added))
    return Judgement(word="consistent" if fits else "inconsistent", arithmetic=text)


def sizes(subject: Subject) -> Iterator[Finding]:
    """Parameter counts of the networks in ``facts.yaml``."""
    for number in subject.numbers:
        if number.metric == "num_parameters":
            labels = number.labels
            side = labels.get("model.kernel_size", "")
            kernel_size = int(side) if side.isdecimal() else None
            count = facts.network_size(labels["model"], labels["dataset"], labels["conv"], kernel_size=kernel_size)
            judgement = Judgement(word="cannot tell", arithmetic="the layers of this network are not known")
            if count is not None:
                judgement = size(number.printed, number.unit, [count])
            yield _finding(number.table, judgement, describe(labels))


def sizes_elsewhere(subject: Subject) -> Iterator[Finding]:
    """Sizes that a paper prints outside the tables that can be run; the kernel's side is not printed there."""
    for entry in facts.load()["sizes_elsewhere"]:
        if subject.whole and subject.paper == entry["paper"]:
            counts = [
                count
                for kernel_size in facts.load()["kernel_sizes"]
                if (count := facts.network_size(entry["model"], entry["dataset"], "standard", kernel_size=kernel_size))
            ]
            judgement = size(entry["printed"], entry["unit"], counts)
            yield _finding(entry["where"], judgement, f"{entry['dataset']} {entry['model']}, of any kernel size")


def factors(subject: Subject) -> Iterator[Finding]:
    """Compact factors of a network's first convolution."""
    for number in subject.numbers:
        if number.metric == "compact_factor":
            yield _finding(number.table, _factor_of(number.labels, number.printed), describe(number.labels))


def factors_elsewhere(subject: Subject) -> Iterator[Finding]:
    """Compact factors that a sentence prints of several layers together.

    Never ``inconsistent``: the layers' sizes are not printed, ``facts.yaml`` says what is taken for them.
    """
    for entry in facts.load()["factors_elsewhere"]:
        if subject.paper == entry["paper"] and (subject.whole or entry["table"] in subject.tables):
            parts = [
                (layer["num_kernels"] * layer["kernel_size"] ** 2, _compact_factors_of_default(layer))
                for layer in entry["layers"]
            ]
            total = sum(weights for weights, _ in parts)
            low, high = (sum(weights * ends[end] for weights, ends in parts) / total for end in (0, 1))
            judgement = factor(entry["printed"], (low, high))
            layers = " and ".join(_layer_text(layer) for layer in entry["layers"])
            yield _finding(
                entry["table"],
                Judgement(
                    word="consistent" if judgement.word == "consistent" else "cannot tell",
                    arithmetic=f"{layers}, {entry['assumed']}: {judgement.arithmetic}",
                ),
                f'{entry["where"]}, "{entry["says"]}"',
            )


def macs(subject: Subject) -> Iterator[Finding]:
    """What smoothing adds to the ordinary network's operations."""
    for number in subject.numbers:
        labels = number.labels
        taps = labels.get("conv.envelope_size", "")
        baseline = subject.number(
            number.table, {"dataset": labels["dataset"], "model": labels["model"], "conv": "standard"}, "num_macs"
        )
        inputs = facts.load()["smoothed_inputs"].get(labels["model"])
        if number.metric == "num_macs" and taps.isdecimal() and baseline is not None and inputs:
            added = smoothing_macs(inputs, taps=int(taps))
            judgement = added_macs(number.printed, baseline.printed, number.unit, added)
            yield _finding(number.table, judgement, describe(labels))


def _factor_of(labels: Mapping[str, str], printed: str) -> Judgement:
    layer = facts.load()["first_convolutions"].get(labels["model"])
    if layer is None:
        return Judgement(word="cannot tell", arithmetic="the first convolution of this network is not known")
    arrangement = labels.get("conv.arrangement") or facts.load()["default_arrangement"]
    parameters = facts.load()["analytic_kernels"]
    try:
        unknown = {name for name, _ in parse(arrangement)} - {"P", *parameters}
        if unknown:
            raise ValueError(f"the kernels {', '.join(sorted(unknown))} are not known.")
        judgement = factor(printed, compact_factors(arrangement, parameters=parameters, **layer))
    except ValueError as error:
        return Judgement(word="cannot tell", arithmetic=str(error))
    return Judgement(word=judgement.word, arithmetic=f"{_layer_text(layer)}: {judgement.arithmetic}")


def _compact_factors_of_default(layer: Mapping[str, int]) -> tuple[float, float]:
    known = facts.load()
    return compact_factors(known["default_arrangement"], parameters=known["analytic_kernels"], **layer)


def _layer_text(layer: Mapping[str, int]) -> str:
    return f"{layer['num_kernels']} kernels of {layer['kernel_size']}x{layer['kernel_size']}"


def _finding(table: str, judgement: Judgement, cell: str) -> Finding:
    return Finding(table=table, check="recomputed", cell=cell, word=judgement.word, arithmetic=judgement.arithmetic)
