"""An answer for one setting: its parts, and the sentences that they form."""

from dataclasses import dataclass
from typing import Literal

from liecbench.results.passed_over import PassedOver
from liecbench.results.recommendation_words import MoreSeeds
from liecbench.results.units import RATIO

# yes: compression pays. no: it does not. faster: it is faster, and not shown to keep accuracy yet. timed: it is faster,
# and accuracy was not measured. open: not known yet.
Outcome = Literal["yes", "no", "faster", "timed", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The parts of a sentence that answers, for one setting, whether compression pays and which method to use.

    Such a sentence is ``On 20mbit: use liec, 5.50× (5.42 to 5.58) as fast as ddp``.

    Attributes:
        setting: The setting's name; empty if the comparison has only one setting.
        place: The links and the rest of the setting, such as ``On 20mbit`` or ``On 20mbit (workers 4)``.
        outcome: Whether compression pays in the setting.
        advice: The words before the method, such as ``use`` or ``stay with``; a whole sentence if ``method`` is empty.
        method: The method's name; empty if the answer names none.
        speed: The method's mean speed-up; None if the answer has no speed-up.
        gain: The speed-up with its interval, such as ``5.50× (5.42 to 5.58)``; empty if the answer has no speed-up.
        rest: The words after the method and its speed-up, such as `` as fast as ddp``.
        cost: A clause that qualifies the advice, such as ``it keeps the accuracy within 0.5 points``; empty for none.
        evidence: The numbers behind ``cost``, such as ``-0.1 points, -0.3 to +0.1, after 10 seeds``; empty for none.
        equal: A sentence with the methods that are as good as ``method``; empty for none.
        passed_over: Faster methods that the answer does not name, with the reasons, fastest first.
        more_seeds: The advice to run more seeds for faster methods; None without such advice.
        advices: Further sentences, with advice on how to learn more.
    """

    setting: str
    place: str
    outcome: Outcome
    advice: str
    method: str = ""
    speed: float | None = None
    gain: str = ""
    rest: str = ""
    cost: str = ""
    evidence: str = ""
    equal: str = ""
    passed_over: tuple[PassedOver, ...] = ()
    more_seeds: MoreSeeds | None = None
    advices: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The answer as one sentence, such as ``On 20mbit: use liec, 5.50× (5.42 to 5.58) as fast as ddp``.

        ``cost`` and ``evidence`` follow if they are not empty.
        """
        numbers = f" ({self.evidence})" if self.evidence else ""
        return f"{self.place}: {self.told(self.gain)}{numbers}"

    @property
    def headline(self) -> str:
        """The answer without interval and evidence, such as ``On 20mbit: use liec, 5.50× as fast as ddp``."""
        return f"{self.place}: {self.told('' if self.speed is None else RATIO.format(self.speed))}"

    def told(self, gain: str) -> str:
        """Return the answer without ``place`` and ``evidence``, such as ``use liec, 5.50× as fast as ddp``.

        ``gain`` is the text of the speed-up, in the example ``5.50×``. Pass an empty text if there is no speed-up.
        """
        method = f" {self.method}" if self.method else ""
        cost = f", {'and' if self.outcome == 'yes' else 'but'} {self.cost}" if self.cost else ""
        return f"{self.advice}{method}{f', {gain}' if gain else ''}{self.rest}{cost}"
