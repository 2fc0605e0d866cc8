"""What a report says about the two promises: as good as pooling the images, better than staying alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from wardround.evaluation.report import Report, SiteScore, mean_auroc

NEAR_POOLED = 0.02


@dataclass(frozen=True)
class Verdict:
    """Differences of mean AUROC over sites; None where a model was not trained or AUROC is undefined.

    `own_behind` names the sites whose own model beats the federated one on their own patients: those
    hospitals gain nothing at home, whatever the average says.
    """

    to_pooled: float | None
    worst_to_pooled: tuple[str, float] | None
    over_best_local: tuple[str, float] | None
    own_behind: tuple[str, ...]

    @property
    def near_pooled(self) -> bool | None:
        """Whether the mean is at most `NEAR_POOLED` below pooled; None where pooled is missing."""
        return None if self.to_pooled is None else self.to_pooled >= -NEAR_POOLED

    @property
    def above_local(self) -> bool | None:
        """Whether the mean is above that of every local-only model; None where there is none."""
        return None if self.over_best_local is None else self.over_best_local[1] > 0

    def lines(self) -> tuple[str, ...]:
        """Plain sentences, with the figures that they rest on."""
        return tuple(line for line in (self._pooled_line(), self._local_line(), self._own_line()) if line)

    def _pooled_line(self) -> str:
        if self.to_pooled is None or self.worst_to_pooled is None:
            return "Not compared with a pooled model."
        answer = "within" if self.near_pooled else "NOT within"
        site, difference = self.worst_to_pooled
        return (
            f"Federated is {answer} {NEAR_POOLED} AUROC of pooled: {self.to_pooled:+.3f} on average "
            f"over sites, {difference:+.3f} at {site}, the worst."
        )

    def _local_line(self) -> str:
        if self.over_best_local is None:
            return "Not compared with local-only models."
        site, difference = self.over_best_local
        answer = "above" if self.above_local else "NOT above"
        return (
            f"Federated is {answer} every local-only model across sites: {difference:+.3f} AUROC on average "
            f"against the best of them ({site})."
        )

    def _own_line(self) -> str:
        if not self.own_behind:
            return ""
        return f"On its own patients the own model still scores higher at: {', '.join(self.own_behind)}."


def verdict(report: Report) -> Verdict:
    """Judge a report by its AUROC values; whether differences this small are chance, its intervals say."""
    federated = mean_auroc(report.federated)
    gaps = _gaps(report.federated, report.pooled)
    pooled = mean_auroc({site: report.pooled[site] for site in gaps})
    at_gaps = mean_auroc({site: report.federated[site] for site in gaps})
    locals_ = {
        site: mean for site, scores in report.local.items() if (mean := mean_auroc(scores)) is not None
    }
    best = max(locals_, key=locals_.__getitem__, default=None)
    own = {site: scores[site] for site, scores in report.local.items() if site in scores}
    return Verdict(
        to_pooled=None if pooled is None or at_gaps is None else at_gaps - pooled,
        worst_to_pooled=min(gaps.items(), key=lambda gap: gap[1], default=None),
        over_best_local=None if best is None or federated is None else (best, federated - locals_[best]),
        own_behind=tuple(site for site, gap in _gaps(report.federated, own).items() if gap < 0),
    )


def _gaps(first: Mapping[str, SiteScore], second: Mapping[str, SiteScore]) -> dict[str, float]:
    """First minus second AUROC at each site where both are defined."""
    pairs = {site: (first[site].auroc[1], second[site].auroc[1]) for site in first if site in second}
    return {site: a - b for site, (a, b) in pairs.items() if a is not None and b is not None}
