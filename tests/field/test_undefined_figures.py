"""A figure of no image is unknown: it is never 0, never compared and never the best.

Reported to other systems as "loss 0.0 for clients without data" and "best model is the one that was never evaluated".
"""

from pathlib import Path

import numpy as np
import pytest
from federation import SITES, Federation, World

from wardround.exchange.messages import FinalMessage
from wardround.imaging.shards import write_dataset
from wardround.site.settings import SiteSettings

LABELS = ["normal", "opacity"]


class Elsewhere(Federation):
    """A run whose hospitals have other images than the world's: so many in each split."""

    def have(self, **counts: int) -> None:
        for number, site in enumerate(SITES):
            generator = np.random.default_rng(number)
            splits = {
                split: (generator.integers(0, 255, (count, 8, 8, 1)).astype(np.uint8), np.arange(count) % 2)
                for split, count in counts.items()
            }
            write_dataset(self.folder / "data" / site, splits, LABELS)

    def site_settings(self, site: str) -> SiteSettings:
        return super().site_settings(site).model_copy(update={"data": self.folder / "data" / site})


@pytest.fixture
def elsewhere(world: World, request: pytest.FixtureRequest) -> Elsewhere:
    run = Elsewhere(world, request.node.name.removeprefix("test_").replace("_", "-")[:50].strip("-"))
    request.addfinalizer(run.close)
    return run


def test_a_model_that_nobody_can_evaluate_has_no_figures_and_is_not_the_champion(
    elsewhere: Elsewhere,
) -> None:
    elsewhere.have(train=24, validation=0, test=0)
    assert [actor.wait() for actor in elsewhere.start_all()] == [0, 0, 0, 0]
    outcomes = elsewhere.outcomes()
    assert [outcome.status for outcome in outcomes] == ["completed", "completed", "evaluated"]
    for outcome in outcomes[1:]:
        figures = outcome.measured.evaluation["validation"]
        assert figures["num_examples"] == 0
        assert [figures[name] for name in ("loss", "accuracy", "auroc")] == [None, None, None]
    view = elsewhere.view
    final = view.channel.read(view.shared, FinalMessage, view.me).message
    assert (final.status, final.last, final.metric) == ("finished", 2, None)


def test_a_round_in_which_nobody_has_a_training_image_fails_and_says_why(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.have(train=0, validation=8, test=8)
    coordinator, *sites = elsewhere.start_all()
    assert [actor.wait() for actor in (coordinator, *sites)] == [1, 1, 1, 1]
    outcomes = elsewhere.outcomes()
    assert [outcome.status for outcome in outcomes] == ["failed"] * 3
    assert [outcome.model for outcome in outcomes] == [0, 0, 0]
    measured = outcomes[0].measured.measurements
    assert (measured["num_examples"], measured["loss"], measured["accuracy"]) == (0, None, None)
    assert "nobody who answered has an image to train on" in coordinator.text()
