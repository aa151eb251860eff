"""Numbers of tables and of sentences that follow from other printed numbers."""

from collections.abc import Iterator
from decimal import Decimal

from convrepro.audits import facts
from convrepro.audits.arithmetic import follows
from convrepro.audits.finding import Finding, Judgement
from convrepro.audits.subject import Subject, describe
from convrepro.papers import PrintedNumber


def accuracy_losses(subject: Subject) -> Iterator[Finding]:
    """Each printed loss against the accuracy of the cell whose loss is 0, minus the cell's own."""
    losses = [number for number in subject.numbers if number.metric == "accuracy_loss"]
    for number in losses:
        references = [loss for loss in losses if loss.table == number.table and Decimal(loss.printed) == 0]
        if number in references:
            continue
        yield Finding(
            table=number.table,
            check="arithmetic",
            cell=f"{describe(number.labels)} accuracy_loss",
            **vars(_loss(subject, number, references)),
        )


def sentences(subject: Subject) -> Iterator[Finding]:
    """Sentences of the paper whose numbers follow from others, as listed in ``facts.yaml``."""
    for entry in facts.load()["statements"]:
        table = entry.get("table", "")
        if entry["paper"] == subject.paper and (subject.whole or table in subject.tables):
            judgement = follows(
                entry["printed"],
                entry["operation"],
                entry["operands"],
                about=entry.get("about", False),
                whole=entry.get("whole", False),
            )
            yield Finding(
                table=table or entry["where"],
                check="arithmetic",
                cell=f'{entry["where"]}, "{entry["says"]}"',
                **vars(judgement),
            )


def _loss(subject: Subject, number: PrintedNumber, references: list[PrintedNumber]) -> Judgement:
    if len(references) != 1:
        return Judgement(word="cannot tell", arithmetic=f"{len(references)} cells have a loss of 0, to count from")
    reference = subject.number(number.table, references[0].labels, "test_accuracy")
    own = subject.number(number.table, number.labels, "test_accuracy")
    if reference is None or own is None:
        return Judgement(word="cannot tell", arithmetic="the accuracies that it is the difference of are not printed")
    return follows(number.printed, "difference", [reference.printed, own.printed])
