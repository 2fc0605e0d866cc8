"""What leaves of a model's scores: integer sums, additive, equal to scikit-learn's figures on the pooled scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from wardround.errors import RefusedError
from wardround.evaluation import sums
from wardround.evaluation.histograms import class_roc, tied_pairs
from wardround.evaluation.intervals import reference_auroc

CLASSES = 3


def softmax(logits: np.ndarray) -> np.ndarray:
    """As TensorFlow gives it: float32."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)


def scored(seed: int, count: int, classes: int = CLASSES, spread: float = 3) -> tuple[np.ndarray, np.ndarray]:
    """Scores that know something of the labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    logits = generator.normal(0, spread, (count, classes))
    logits[np.arange(count), labels] += 1
    return softmax(logits), labels


def equal(first: sums.Sums, second: sums.Sums) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(first[n], second[n]) for n in first)


hostile_scores = arrays(
    np.float32,
    st.tuples(st.integers(0, 6), st.just(CLASSES)),
    elements=st.one_of(
        st.floats(0, 1, width=32),
        st.floats(width=32),
        st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, 3e38]),
    ),
)


@given(st.lists(hostile_scores, max_size=4), st.randoms(use_true_random=False))
def test_sums_are_additive_whatever_the_scores_are(parts: list[np.ndarray], random: object) -> None:
    labels = [np.arange(len(part)) % CLASSES for part in parts]
    apart = sums.zero(CLASSES)
    order = list(range(len(parts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    for place in order:
        apart = sums.added(apart, sums.sums_of(parts[place], labels[place]))
    pooled = sums.sums_of(
        np.concatenate([np.zeros((0, CLASSES), np.float32), *parts]),
        np.concatenate([np.zeros(0, np.int64), *labels]),
    )
    assert equal(apart, pooled)


@given(hostile_scores)
def test_honest_sums_keep_the_names_shapes_and_limits_that_are_declared(scores: np.ndarray) -> None:
    found = sums.sums_of(scores, np.arange(len(scores)) % CLASSES)
    declared = sums.spec(CLASSES)
    assert {name: (value.shape, value.dtype.name) for name, value in found.items()} == {
        name: (each.shape, each.dtype) for name, each in declared.items()
    }
    assert all((value >= 0).all() and (value < declared[name].limit).all() for name, value in found.items())
    sums.check(found, CLASSES, most=len(scores))
    assert int(found["undefined"]) == int((~sums.defined(scores)).sum())


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("spread", [0.5, 3, 5])  # beyond, scikit-learn itself clips at 36 nat
def test_the_figures_of_several_sites_are_scikit_learns_on_the_pooled_scores(
    classes: int, spread: float
) -> None:
    sites = [scored(seed, count, classes, spread) for seed, count in enumerate((17, 240, 5, 91))]
    total = sums.zero(classes)
    for scores, labels in sites:
        total = sums.added(total, sums.sums_of(scores, labels))
    figures = sums.figures(total)
    pooled, truth = np.concatenate([s for s, _ in sites]), np.concatenate([y for _, y in sites])
    assert figures["num_examples"] == len(truth) and figures["undefined"] == 0
    assert figures["accuracy"] == accuracy_score(truth, pooled.argmax(axis=1))
    sure = np.maximum(pooled.astype(np.float64), sums.SMALLEST)
    reference = log_loss(truth, sure / sure.sum(axis=1, keepdims=True), labels=range(classes))
    assert (
        abs(figures["loss"] - reference) <= sums.LOSS_UNIT / 2 + 1e-6
    )  # rows of float32 sum to 1 but for 1e-7
    for label in range(classes):
        rows = figures["histogram"][label]
        assert abs(class_roc(rows).area - reference_auroc(log_odds_of(pooled, label), truth == label)) <= (
            tied_pairs(rows) / 2 + 1e-12
        )


def log_odds_of(scores: np.ndarray, label: int) -> np.ndarray:
    """In double precision: a score that float32 rounds to 1 is no tie with another one."""
    values = scores.astype(np.float64)
    rest = np.delete(values, label, axis=1).sum(axis=1)
    with np.errstate(divide="ignore"):
        return np.clip(np.log(values[:, label]) - np.log(rest), -50, 50)


def test_with_scores_that_differ_by_more_than_a_bin_the_auroc_is_scikit_learns_own() -> None:
    steps = np.linspace(-11, 11, 80)
    scores = softmax(np.stack([np.zeros(80), steps], axis=1))
    labels = (np.random.default_rng(4).random(80) < 1 / (1 + np.exp(-steps / 4))).astype(np.int64)
    histogram = sums.sums_of(scores, labels)["histogram"]
    assert class_roc(histogram[1]).area == pytest.approx(roc_auc_score(labels, scores[:, 1]), abs=1e-12)


def test_log_odds_stay_exact_where_a_score_is_rounded_to_one() -> None:
    scores = np.array([[1e-5, 1], [2e-5, 1]], np.float32)
    histogram = sums.sums_of(scores, [1, 1])["histogram"]
    places = np.flatnonzero(histogram[1, 1])
    expected = [int((odds + 12) / 24 * 256) for odds in np.log(1 / np.array([2e-5, 1e-5]))]
    assert places.tolist() == expected and len(places) == 2


def test_scores_that_are_no_probabilities_count_as_undefined_and_wrong_at_the_largest_loss() -> None:
    scores = np.array(
        [[np.nan, 1, 0], [1, 1, 1], [-0.5, 1, 0.5], [np.inf, 0, 0], [0, 0, 0], [3e38, 3e38, 0], [0, 1, 0]],
        np.float32,
    )
    found = sums.sums_of(scores, [1] * 7)
    assert int(found["undefined"]) == 6 and int(found["correct"]) == 1 and int(found["num_examples"]) == 7
    assert int(found["loss_sum"]) == 6 * sums.MAX_LOSS
    assert found["histogram"][:, :, 128].sum() == 6 * CLASSES  # log-odds 0
    assert sums.figures(found)["loss"] == pytest.approx(6 * 87.336 / 7, rel=1e-4)


def test_a_truth_that_the_model_holds_for_impossible_costs_a_bounded_loss() -> None:
    found = sums.sums_of(np.array([[1, 0]], np.float32), [1])
    assert int(found["loss_sum"]) == sums.MAX_LOSS and int(found["undefined"]) == 0


def test_of_no_example_loss_and_accuracy_are_unknown_not_zero() -> None:
    figures = sums.figures(sums.zero(2))
    assert figures["loss"] is None and figures["accuracy"] is None and figures["num_examples"] == 0
    assert equal(sums.sums_of(np.zeros((0, 2), np.float32), []), sums.zero(2))


@pytest.mark.parametrize(
    ("scores", "labels", "code"),
    [
        (np.zeros((2, 2), np.float64), [0, 1], "wrong-scores"),
        (np.zeros((3, 2), np.float32), [0, 1], "wrong-scores"),
        (np.zeros(2, np.float32), [0, 1], "wrong-scores"),
        (np.full((2, 2), 0.5, np.float32), [0, 2], "wrong-dataset"),
        (np.full((2, 2), 0.5, np.float32), [-1, 0], "wrong-dataset"),
    ],
)
def test_scores_or_labels_that_do_not_fit_are_refused(
    scores: np.ndarray, labels: list[int], code: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        sums.sums_of(scores, labels)
    assert caught.value.code == code


def test_the_largest_sums_of_a_hundred_thousand_sites_do_not_wrap() -> None:
    largest = {name: each.limit - 1 for name, each in sums.spec(2).items()}
    assert max(largest.values()) * 10**5 < 2**63


def test_sums_that_would_wrap_are_refused() -> None:
    huge = sums.zero(2) | {"loss_sum": np.asarray(2**62)}
    with pytest.raises(RefusedError) as caught:
        sums.added(huge, huge)
    assert caught.value.code == "too-many"


@settings(max_examples=150)
@given(
    st.sampled_from(["num_examples", "correct", "undefined", "loss_sum", "histogram"]),
    st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-3, 3)),
    st.integers(0, CLASSES * 2 * 256 - 1),
)
def test_a_sum_that_no_scores_give_is_refused(name: str, value: int, place: int) -> None:
    honest = sums.sums_of(*scored(0, 40))
    lie = {key: each.copy() for key, each in honest.items()}
    lie[name].flat[place % lie[name].size] = value
    changed = not equal(lie, honest)
    try:
        sums.check(lie, CLASSES, most=40)
    except RefusedError as error:
        assert error.code == "out-of-range" and changed
        return
    count = int(lie["num_examples"])
    assert (
        count == 40 and (lie["histogram"].sum(axis=(1, 2)) == 40).all()
    )  # whatever is accepted can still be told apart
    assert 0 <= lie["correct"] <= 40 and 0 <= lie["loss_sum"] <= 40 * sums.MAX_LOSS


def test_more_examples_than_a_site_joined_with_are_refused() -> None:
    found = sums.sums_of(*scored(0, 40))
    sums.check(found, CLASSES, most=40)
    with pytest.raises(RefusedError, match="num_examples is 40, legal are 0 to 39"):
        sums.check(found, CLASSES, most=39)


def test_counts_moved_from_one_bin_to_another_keep_their_number_and_cannot_be_told() -> None:
    found = sums.sums_of(*scored(0, 40))
    histogram = found["histogram"].copy()
    full = tuple(np.argwhere(histogram[0, 1] > 0)[0])
    histogram[0, 1, full[0]] -= 1
    histogram[0, 1, (full[0] + 1) % 256] += 1
    sums.check(
        found | {"histogram": histogram}, CLASSES, most=40
    )  # docs/security.md says so: only masks bound such a lie
