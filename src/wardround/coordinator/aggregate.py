"""Adding up a round's updates, one in memory at a time, always in order of site names.

Floating-point sums depend on their order. The order of arrival is chance, so a sum grows with what has
arrived as long as nobody whose name comes earlier can still answer; one who does starts the sum anew.
"""

from collections.abc import Callable, Sequence

import numpy as np

from wardround.coordinator.figures import evaluation_figures, plain_figures
from wardround.coordinator.rounds import Model, OpenRound
from wardround.errors import RefusedError
from wardround.evaluation import sums
from wardround.exchange.messages import Figures, Measured, Split
from wardround.plan.accumulator import Accumulator
from wardround.plan.data import Array
from wardround.plan.process import Tensors, unprefixed
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

    def result(self, load: Callable[[str], Tensors]) -> tuple[Tensors | None, Measured]:
        """The new server state (None for a round that only evaluates), and what was measured.

        Raises SiteFaultError for a site with whose update no state can be made; `load` gives each site's update again
        where it must be found out whose that is. RefusedError where it is nobody's: then it is the plan's.
        """
        state: Tensors | None = None
        measurements: Figures = {}
        if self._training is not None:
            try:
                state, measurements = self._updated(self._training)
            except RefusedError:
                self._blame(load)
                raise
        evaluation = {split: self._figures(total) for split, total in self._scored.items()}
        return state, Measured(measurements=measurements, evaluation=evaluation, per_site=self._each)

    def _updated(self, total: Accumulator) -> tuple[Tensors, Figures]:
        """The state after this sum: finite wherever the one before it was. RefusedError (`graph-failed`, `no-state`)."""
        before = self._model.state
        state, figures = self._program.update(before, total.result())
        for name, value in state.items():
            if not _is_finite(value) and _is_finite(before[name]):
                raise RefusedError(f"with it {name} would hold what is NaN or infinite", code="no-state")
        return state, plain_figures(figures)

    def _blame(self, load: Callable[[str], Tensors]) -> None:
        """Raises SiteFaultError for the first site whose update gives no state even alone, or, if each does, without
        whose update the others give one. Numbers that are each in bounds can contradict each other, as those of a
        secure sum can, which nobody is to look into: what shows that is the plan's own arithmetic.
        """
        sites = list(self._added)
        for site in sites:
            self._check_without(site, (site,), load, is_fault=True)
        for site in sites if len(sites) > 1 else ():
            self._check_without(site, [other for other in sites if other != site], load, is_fault=False)

    def _check_without(
        self, site: str, counted: Sequence[str], load: Callable[[str], Tensors], *, is_fault: bool
    ) -> None:
        """Blames `site` if the sum of `counted` gives no state (`is_fault`), or if it gives one."""
        total = self._program.accumulator()
        try:
            for each in counted:
                total.add(load(each))
            self._updated(total)
        except RefusedError as error:
            if is_fault:
                raise SiteFaultError(site, error) from error
            return
        if not is_fault:
            raise SiteFaultError(
                site, RefusedError("with it the sum of all updates gives no state", code="no-state")
            )

    def _restart(self) -> None:
        self._added: list[str] = []
        self._each: dict[str, dict[Split, Figures]] = {}
        is_training = self._message.purpose == "train"
        self._training: Accumulator | None = self._program.accumulator() if is_training else None
        nothing = sums.zero(self._program.classes)
        self._scored: dict[Split, sums.Sums] = dict.fromkeys(self._message.splits, nothing)

    def _add(self, site: str, update: Tensors) -> None:
        if self._training is not None:
            self._training.add(update)
        own = {split: unprefixed(update, f"evaluate.{split}/") for split in self._message.splits}
        self._scored = {split: sums.added(total, own[split]) for split, total in self._scored.items()}
        if self._per_site and own:
            self._each[site] = {split: self._figures(alone) for split, alone in own.items()}
        self._added.append(site)

    def _figures(self, total: sums.Sums) -> Figures:
        return evaluation_figures(sums.figures(total), self._positive)


def _is_finite(value: Array) -> bool:
    return not np.issubdtype(value.dtype, np.floating) or bool(np.isfinite(value).all())
