"""Adding up a round's updates, one in memory at a time, always in order of site names.

Floating-point sums depend on their order. The order of arrival is chance, so a sum grows with what has
arrived as long as nobody whose name comes earlier can still answer; one who does starts the sum anew.
"""

from collections.abc import Callable, Sequence

from wardround.coordinator.figures import evaluation_figures, plain_figures
from wardround.coordinator.rounds import Model, OpenRound
from wardround.errors import RefusedError
from wardround.exchange.messages import Figures, Measured, Split
from wardround.plan.accumulator import Accumulator
from wardround.plan.process import Tensors
from wardround.plan.program import Program


class SiteFaultError(RefusedError):
    """One site's update cannot be counted, for a reason that lies in it; `code` is the reason's."""

    def __init__(self, site: str, error: RefusedError) -> None:
        super().__init__(str(error), code=error.code)
        self.site = site


class Tally:
    """The sums of one round over a growing list of sites.

    `model`: what was broadcast. Law: the result depends on the final list of sites only, not on the calls
    of `advance` that led to it.
    """

    def __init__(
        self, program: Program, opened: OpenRound, model: Model, *, per_site: bool, positive: int | None
    ) -> None:
        self._program, self._message, self._model = program, opened.message, model
        self._per_site, self._positive = per_site, positive
        self._restart()

    def advance(self, sites: Sequence[str], load: Callable[[str], Tensors]) -> None:
        """Makes the sums those of `sites`, in order of name; `load` gives a site's update when it is added.

        Raises SiteFaultError for an update that `load` refuses or that cannot be added. It left no trace in the
        sums: called again without that site, this goes on.
        """
        if list(sites[: len(self._added)]) != self._added:
            self._restart()
        for site in sites[len(self._added) :]:
            try:
                self._add(site, load(site))
            except RefusedError as error:
                self._restart()  # it may be in some sums already
                raise SiteFaultError(site, error) from error

    def result(self) -> tuple[Tensors | None, Measured]:
        """The new server state (None for a round that only evaluates), and what was measured."""
        state, measurements = None, {}
        if "train" in self._sums:
            state, figures = self._program.update(self._model.state, self._sums["train"].result())
            measurements = plain_figures(figures)
        evaluation = {split: self._figures(self._sums[f"evaluate.{split}"]) for split in self._message.splits}
        return state, Measured(measurements=measurements, evaluation=evaluation, per_site=self._each)

    def _restart(self) -> None:
        self._added: list[str] = []
        self._each: dict[str, dict[Split, Figures]] = {}
        self._sums = {part: self._program.accumulator(part) for part in self._message.parts()}

    def _add(self, site: str, update: Tensors) -> None:
        for accumulator in self._sums.values():
            accumulator.add(update)
        if self._per_site and self._message.splits:
            self._each[site] = {split: self._alone(split, update) for split in self._message.splits}
        self._added.append(site)

    def _alone(self, split: Split, update: Tensors) -> Figures:
        accumulator = self._program.accumulator(f"evaluate.{split}")
        accumulator.add(update)
        return self._figures(accumulator)

    def _figures(self, accumulator: Accumulator) -> Figures:
        figures = self._program.evaluation(self._model.state, accumulator.result())
        return evaluation_figures(figures, self._positive)
