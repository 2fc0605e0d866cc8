"""Updates that lie: weights, counts and norms that no honest site has, in plans of every kind of aggregation."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_equality_with_tff import CASES, SIZES, _order, _plan, _received, _sites

from wardround.coordinator.aggregate import SiteFaultError, Tally
from wardround.coordinator.rounds import Model
from wardround.errors import RefusedError
from wardround.plan.checks import Site, check_update
from wardround.plan.format import MeanRoles, UpdateRoles
from wardround.plan.norms import norm
from wardround.plan.program import Program

Update = dict[str, np.ndarray]
KNOWN = [
    name for name, case in CASES.items() if case.algorithm.name != "custom" and not case.aggregation.secure
]
CUSTOM = [name for name in CASES if name not in KNOWN]
LARGE = 10_000_000  # images of a large hospital


class Round:
    """A plan, its first broadcast, and what the first site makes of it, with its estimates `moved`."""

    def __init__(self, reference: Path, name: str, **moved: float) -> None:
        self.name, self.program = name, Program(_plan(reference, name), threads=1)
        self.state = self.program.initialize()
        for part, value in moved.items():
            for key in self.state:
                if key.endswith(f"{part}_norm/0/current_estimate"):
                    self.state[key] = np.float32(value)
        examples = _sites()[0]
        self.update = self.program.work(examples, _order(name, 0, 0), _received(self.program, self.state))
        self.site = Site({"train": SIZES[0]}, 3, self.state)

    @property
    def roles(self) -> UpdateRoles:
        roles = self.program.update_roles
        assert roles is not None
        return roles

    @property
    def means(self) -> list[MeanRoles]:
        return [mean for mean in (self.roles.change, self.roles.gradient) if mean is not None]

    @property
    def trained(self) -> int:
        return SIZES[0] * self.program.recipe.algorithm.client.epochs

    def summed(self) -> Update:
        return self.program.summed(self.update)

    def check(self, update: Update | None = None, site: Site | None = None) -> None:
        check_update(self.program, ("train",), update or self.update, site or self.site)

    def code(self, changes: Mapping[str, Any], site: Site | None = None) -> str:
        """Why the honest update with these leaves changed is refused."""
        update = {**self.update}
        for name, value in changes.items():
            key = f"train/plain/{name}"
            assert key in update
            update[key] = np.asarray(value, update[key].dtype)
        with pytest.raises(RefusedError) as caught:
            self.check(update, site)
        return str(caught.value.code)


# --- what the leaves are --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_what_the_compiler_says_of_the_leaves_holds_for_a_training_of_known_numbers(
    reference: Path, name: str
) -> None:
    played = Round(reference, name)
    summed, roles = played.summed(), played.roles
    assert summed[roles.num_examples] == played.trained
    assert 0 < summed[roles.correct] < played.trained
    assert 0.1 < summed[roles.loss_sum] / played.trained < 3
    weight = 1 if played.program.recipe.algorithm.weighting == "uniform" else played.trained
    assert [float(summed[mean.weight]) for mean in played.means] == [weight] * len(played.means)
    shapes = [spec.shape for spec in played.program.plan.manifest.weights if spec.trainable]
    for mean in played.means:
        assert [summed[leaf].size for leaf in mean.value] == [int(np.prod(shape)) for shape in shapes]
    assert (played.roles.gradient is not None) == (played.program.recipe.algorithm.name == "mimelite")


@pytest.mark.parametrize("name", CUSTOM)
def test_nothing_is_said_of_custom_processes_and_of_secure_sums(reference: Path, name: str) -> None:
    assert Program(_plan(reference, name), threads=1).update_roles is None


@pytest.mark.parametrize("name", ["robust-adaptive", "compressed-robust"])
def test_clipping_and_zeroing_are_told_apart(reference: Path, name: str) -> None:
    clipped = Round(reference, name, clipping=1e-3)
    change, summed = clipped.roles.change, clipped.summed()
    assert change.clipping is not None and change.zeroing is not None
    assert norm(*(summed[leaf] for leaf in change.value)) == pytest.approx(1e-3 * clipped.trained, rel=0.05)
    assert (summed[change.clipping.count], summed[change.clipping.below]) == (1, -0.5)
    assert (summed[change.zeroing.count], summed[change.zeroing.below]) == (0, 0.5)
    clipped.check()
    zeroed = Round(reference, name, zeroing=-0.49999)  # twice that and 1 more
    summed = zeroed.summed()
    assert norm(*(summed[leaf] for leaf in change.value)) == 0 < summed[change.weight]
    assert (summed[change.zeroing.count], summed[change.zeroing.below]) == (1, -0.5)
    assert (summed[change.clipping.count], summed[change.clipping.below]) == (0, 0.5)
    zeroed.check()


def test_a_fixed_clip_is_the_recipes_number(reference: Path) -> None:
    played = Round(reference, "robust-fixed-norm")
    change, summed = played.roles.change, played.summed()
    assert norm(*(summed[leaf] for leaf in change.value)) == pytest.approx(0.05 * played.trained, rel=1e-4)
    assert change.clipping is not None and change.clipping.plus == 0.05 and summed[change.clipping.count] == 1


# --- lies -----------------------------------------------------------------------------------------------------

LIES: dict[str, tuple[Callable[[UpdateRoles], str], Any, str]] = {
    "a weight of a million": (lambda r: r.change.weight, 1e6, "out-of-range"),
    "a weight just above its examples": (lambda r: r.change.weight, SIZES[0] * 2 + 1.0, "out-of-range"),
    "a negative weight": (lambda r: r.change.weight, -79.999, "out-of-range"),
    "a weight just below 0": (lambda r: r.change.weight, -1e-30, "out-of-range"),
    "a weight that is no number": (lambda r: r.change.weight, np.nan, "not-finite"),
    "no weight": (lambda r: r.change.weight, 0, "norm-bound"),
    "a weight of the smallest float": (lambda r: r.change.weight, 1e-45, "norm-bound"),
    "the least integer of examples": (lambda r: r.num_examples, -(2**31), "out-of-range"),
    "no examples": (lambda r: r.num_examples, 0, "out-of-range"),
    "more examples than joined": (lambda r: r.num_examples, SIZES[0] * 2 + 1, "out-of-range"),
    "more hits than examples": (lambda r: r.correct, SIZES[0] * 2 + 1, "out-of-range"),
    "negative hits": (lambda r: r.correct, -1, "out-of-range"),
    "a negative loss": (lambda r: r.loss_sum, -1, "out-of-range"),
    "a loss beyond any": (lambda r: r.loss_sum, 1e9, "out-of-range"),
    "an infinite loss": (lambda r: r.loss_sum, np.inf, "not-finite"),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize(
    "name", ["fedavg-sgd", "fedavg-uniform", "robust-adaptive", "compressed-robust", "mimelite"]
)
def test_a_lie_about_weight_or_counts_is_refused(reference: Path, name: str, lie: str) -> None:
    leaf, value, code = LIES[lie]
    played = Round(reference, name)
    if played.program.recipe.algorithm.weighting == "uniform" and lie == "a weight of the smallest float":
        code = "out-of-range"
    assert played.code({leaf(played.roles): value}) == code


@pytest.mark.parametrize("weight", [0.5, 2, 1.0000001, -1])
def test_a_uniform_weight_is_0_or_1(reference: Path, weight: float) -> None:
    played = Round(reference, "fedavg-uniform")
    assert played.code({played.roles.change.weight: weight}) == "out-of-range"


def scaled(played: Round, mean: MeanRoles, factor: float) -> dict[str, np.ndarray]:
    return {leaf: played.update[f"train/plain/{leaf}"] * np.float32(factor) for leaf in mean.value}


@pytest.mark.parametrize("name", ["robust-fixed-norm", "robust-adaptive"])
def test_a_change_beyond_the_norm_that_was_broadcast_is_refused_and_at_the_norm_is_not(
    reference: Path, name: str
) -> None:
    played = Round(reference, name, clipping=1e-3)
    played.check()
    for factor in (1.01, 2.0, 1.8e8):
        assert played.code(scaled(played, played.roles.change, factor)) == "norm-bound"


def test_the_clip_of_another_round_is_not_this_ones(reference: Path) -> None:
    played = Round(reference, "robust-adaptive", clipping=1e-3)
    later = {**played.state}
    (key,) = [key for key in later if key.endswith("clipping_norm/0/current_estimate")]
    later[key] = np.float32(5e-4)
    assert played.code({}, Site(played.site.examples, 3, later)) == "norm-bound"


def test_full_gradients_are_bounded_as_changes_are(reference: Path) -> None:
    played = Round(reference, "mimelite")
    gradient = played.roles.gradient
    assert gradient is not None
    assert played.code(scaled(played, gradient, 1e9)) == "norm-bound"
    assert played.code({gradient.weight: -1}) == "out-of-range"


def test_compressed_changes_are_checked_as_what_they_are_decoded_to(reference: Path) -> None:
    played = Round(reference, "compressed-robust", clipping=1e-3)
    packed = [n.removeprefix("train/plain/") for n in played.update if n.endswith("min_max")]
    assert packed
    for bounds, code in (
        ([-1e6, 1e6], "norm-bound"),
        ([np.nan, 0], "not-finite"),
        ([-3e38, 3e38], "not-summable"),
    ):
        assert played.code({packed[0]: bounds}) == code


@pytest.mark.parametrize("part", ["clipping", "zeroing"])
@pytest.mark.parametrize(
    ("leaf", "value", "code"),
    [
        ("below", 0.25, "out-of-range"),
        ("below", 1e6, "out-of-range"),
        ("ones", 0, "out-of-range"),
        ("ones", 1e6, "out-of-range"),
        ("ones", -1, "out-of-range"),
        ("count", 2, "out-of-range"),
        ("count", -1, "out-of-range"),
        ("count", 1, "inconsistent"),
    ],
)
def test_counts_of_clipping_are_those_of_one_site(
    reference: Path, part: str, leaf: str, value: float, code: str
) -> None:
    played = Round(reference, "robust-adaptive")
    bound = getattr(played.roles.change, part)
    assert played.code({getattr(bound, leaf): value}) == code


def test_an_honest_site_counts_with_the_loss_of_a_model_that_another_site_has_spoiled(
    reference: Path,
) -> None:
    played = Round(reference, "fedavg-sgd")
    key = f"train/plain/{played.roles.loss_sum}"
    played.check({**played.update, key: np.float32(0.99e6 * played.trained)})


# --- numbers that are each legal, and together give no state -------------------------------------------------------


class Summing:
    """The sums of a round of this plan, in which every site sends what `updates` has."""

    def __init__(self, program: Any, state: Update, updates: Mapping[str, Update]) -> None:
        opened: Any = SimpleNamespace(message=SimpleNamespace(purpose="train", splits=()))
        self.tally = Tally(program, opened, Model(0, state), per_site=False, positive=None)
        self.updates = updates

    def state(self, *sites: str) -> Update | None:
        self.tally.advance(sites, self.updates.__getitem__)
        return self.tally.result(self.updates.__getitem__)[0]

    def fault(self, *sites: str) -> str:
        with pytest.raises(SiteFaultError) as caught:
            self.state(*sites)
        return caught.value.site


def nothing(value: np.ndarray, limit: int) -> np.ndarray:
    return np.zeros_like(value)


def without_its_count(value: np.ndarray, limit: int) -> np.ndarray:
    return np.zeros_like(value) if limit == 2 else value


def without_its_count_and_large(value: np.ndarray, limit: int) -> np.ndarray:
    return np.full_like(value, 0 if limit == 2 else limit - 1)


@pytest.mark.parametrize("lie", [nothing, without_its_count, without_its_count_and_large])
@pytest.mark.parametrize("name", ["secure", "secure-robust", "mimelite-secure"])
def test_integers_that_are_legal_and_make_the_plans_own_arithmetic_fail_cost_their_site_alone(
    reference: Path, name: str, lie: Callable[[np.ndarray, int], np.ndarray]
) -> None:
    played = Round(reference, name)
    limits = played.program.limits(("train",))
    lying = {key: lie(value, limits[key]) for key, value in played.update.items()}
    played.check(lying)
    round_ = Summing(played.program, played.state, {"a": played.update, "b": lying, "c": played.update})
    try:
        state = round_.state("a", "b", "c")
    except SiteFaultError as fault:
        assert fault.site == "b"
        state = round_.state("a", "c")
    assert state is not None and all(np.isfinite(value).all() for value in state.values())
    assert round_.fault("b") == "b"


class Overflowing:
    """A plan that fails where the sum is above 10, and gives infinity where it is above 6."""

    classes = 2

    def accumulator(self) -> Any:
        added: list[Update] = []
        return SimpleNamespace(add=added.append, result=lambda: {"x": sum(u["x"] for u in added)})

    def update(self, state: Update, aggregate: Update) -> tuple[Update, dict[str, Any]]:
        if aggregate["x"] > 10:
            raise RefusedError("it failed", code="graph-failed")
        return {"state/x": np.float32(np.inf if aggregate["x"] > 6 else aggregate["x"])}, {}


def test_who_spoils_a_sum_only_together_with_others_is_found_by_leaving_each_out() -> None:
    updates = {site: {"x": np.float32(value)} for site, value in {"a": 1, "b": 2, "c": 5, "d": 6}.items()}
    round_ = Summing(Overflowing(), {"state/x": np.float32(0)}, updates)
    assert round_.fault("a", "b", "c") == "b"  # the first without whom there is a state
    assert round_.state("a", "c") == {"state/x": 6}
    assert round_.fault("b", "d") == "b"
    with pytest.raises(RefusedError) as caught:
        round_.state("a", "b", "c", "d")  # nobody alone has spoiled it
    assert not isinstance(caught.value, SiteFaultError)


# --- what is legal --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fedavg-sgd", "robust-adaptive", "mimelite", "fedsgd"])
def test_a_hospital_with_ten_million_images_may_send_what_it_learned(reference: Path, name: str) -> None:
    played = Round(reference, name)
    factor = LARGE / SIZES[0]
    update, roles = {**played.update}, played.roles
    for leaf in (roles.num_examples, roles.correct, roles.loss_sum, *(mean.weight for mean in played.means)):
        key = f"train/plain/{leaf}"
        update[key] = (update[key] * factor).round().astype(update[key].dtype)
    for mean in played.means:
        for leaf, value in scaled(played, mean, factor).items():
            update[f"train/plain/{leaf}"] = value
    played.check(update, Site({"train": LARGE}, 100, played.state))


@pytest.mark.parametrize(
    "name", ["fedavg-sgd", "robust-adaptive", "compressed", "mimelite", "fedavg-uniform"]
)
def test_a_round_in_which_nobody_has_an_example_changes_nothing_and_stays_finite(
    reference: Path, name: str
) -> None:
    played = Round(reference, name)
    update = {key: np.zeros_like(value) for key, value in played.update.items()}
    for bound in filter(None, (b for mean in played.means for b in (mean.clipping, mean.zeroing))):
        if bound.below is not None:
            update[f"train/plain/{bound.below}"] = np.asarray(0.5, np.float32)
            update[f"train/plain/{bound.ones}"] = np.asarray(1, np.float32)
    total = played.program.accumulator()
    for _ in range(3):
        played.check(update, Site({"train": 0}, 3, played.state))
        total.add(update)
    state, measurements = played.program.update(played.state, total.result())
    before, after = played.program.weights(played.state), played.program.weights(state)
    assert all(np.array_equal(before[key], after[key]) for key in before)
    assert all(np.isfinite(value).all() for value in state.values())
    # Of no example a loss is unknown, which is NaN here and null in an outcome.
    unknown = {name for name, value in measurements.items() if not np.isfinite(value)}
    assert unknown == {"loss", "accuracy"}


# --- anything -------------------------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([-(2**31), 2**31 - 1, 2**30, 715_827_882, 715_827_883, -1, 0, 1]),
    st.floats(width=32),
)


@pytest.fixture(scope="module")
def plain(reference: Path) -> Round:
    return Round(reference, "fedavg-sgd")


@pytest.fixture(scope="module")
def custom(reference: Path) -> Round:
    return Round(reference, "custom-process")


@pytest.mark.parametrize("name", ["plain", "custom"])
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_sites_send_is_refused_or_adds_up_without_wrapping(
    request: pytest.FixtureRequest, name: str, data: st.DataObject
) -> None:
    played: Round = request.getfixturevalue(name)
    legal = []
    for _ in range(3):
        update = {key: filled(value, data.draw(NUMBERS)) for key, value in played.update.items()}
        try:
            check_update(played.program, ("train",), update, Site({"train": 2**30}, 3, played.state))
            legal.append(update)
        except RefusedError:
            continue
    if not legal:
        return
    total = played.program.accumulator()
    for update in legal:
        total.add(update)
    for key, value in total.result().items():
        exact = sum(update[f"train/{key}"].astype(object) for update in legal)
        if np.issubdtype(value.dtype, np.integer):
            assert np.array_equal(value.astype(object), exact)
        assert np.isfinite(value).all()


def filled(like: np.ndarray, number: float) -> np.ndarray:
    """An array of this shape and dtype full of a number, or of the nearest one that the dtype has."""
    if np.issubdtype(like.dtype, np.integer):
        limits = np.iinfo(like.dtype)
        number = 0 if not np.isfinite(number) else min(max(int(number), int(limits.min)), int(limits.max))
    with np.errstate(over="ignore"):
        return np.full(like.shape, number, like.dtype)


def test_integers_of_every_width_are_bounded_by_their_share() -> None:
    from wardround.plan.checks import _check_summand

    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64):
        share = int(np.iinfo(dtype).max) // 3
        _check_summand("x", np.asarray([share, 0], dtype), 0.0, 1, 3)
        for value in (share + 1, np.iinfo(dtype).max, np.iinfo(dtype).min):
            if value != 0:
                with pytest.raises(RefusedError):
                    _check_summand("x", np.asarray([value], dtype), 0.0, 1, 3)
