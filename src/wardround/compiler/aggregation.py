"""How updates become one: TFF aggregators by the recipe's words."""

from collections.abc import Mapping
from typing import Any

import tensorflow_federated as tff

_A = tff.aggregators
_QUANTIZED_FROM = 20_000  # elements; smaller tensors travel as they are, as in tff.learning
_MAX_EXAMPLES = float(2**20 - 1)
# A change is zeroed beyond this much more than a quantile's estimate.
ZEROING_MULTIPLIER, ZEROING_INCREMENT = 2.0, 1.0
_LOG_10 = 2.302585092994046  # written out: a library's logarithm may differ in its last bit from CPU to CPU


def model_aggregator(settings: Mapping[str, Any]) -> Any:
    """Return a weighted aggregation factory: a mean, inside clipping, inside zeroing, as the recipe says.

    The parameters are those of `tff.learning.robust_aggregator` and `secure_aggregator`.
    """
    secure, robust = settings["secure"], settings["robust"]
    factory: Any = _mean(settings)
    if robust and robust["clip"] != "none":
        factory = _clipping(robust["clip"], factory, secure)
    if robust and robust["zero"]:
        factory = _zeroing(factory, secure)
    return factory


def metrics_aggregator(secure: bool) -> Any:
    """Return how the figures of training are summed; securely: as bounded integers."""
    metrics = tff.learning.metrics
    return metrics.secure_sum_then_finalize if secure else metrics.sum_then_finalize


def _mean(settings: Mapping[str, Any]) -> Any:
    """A weighted mean. Of weights that are all 0 it is 0: a round in which nobody had an example changes nothing."""
    if settings["secure"]:
        return _A.MeanFactory(
            value_sum_factory=_A.SecureSumFactory(
                _quantile(50.0, 0.95, 1.0, multiplier=2.0, secure=True),
            ),
            weight_sum_factory=_A.SecureSumFactory(_MAX_EXAMPLES, 0.0),
            no_nan_division=True,
        )
    if settings["compressed"]:
        # Rounding to nearest, not stochastic: a restarted hospital must send the same bytes again.
        return _A.MeanFactory(
            _A.EncodedSumFactory.quantize_above_threshold(
                quantization_bits=8, threshold=_QUANTIZED_FROM, stochastic=False
            ),
            no_nan_division=True,
        )
    return _A.MeanFactory(no_nan_division=True)


def _quantile(start: float, target: float, rate: float, *, secure: bool, **kwargs: float) -> Any:
    """A private-quantile estimate without noise (Andrew et al. 2021, arXiv:1905.03871)."""
    return _A.PrivateQuantileEstimationProcess.no_noise(
        initial_estimate=start,
        target_quantile=target,
        learning_rate=rate,
        secure_estimation=secure,
        **kwargs,
    )


def _count(secure: bool) -> Any:
    return _A.SecureSumFactory(upper_bound_threshold=1, lower_bound_threshold=0) if secure else None


def _clipping(clip: str | float, inner: Any, secure: bool) -> Any:
    norm = _quantile(1.0, 0.8, 0.2, secure=secure) if clip == "adaptive" else float(clip)
    return _A.clipping_factory(norm, inner, clipped_count_sum_factory=_count(secure))


def _zeroing(inner: Any, secure: bool) -> Any:
    norm = _quantile(
        10.0,
        0.98,
        _LOG_10,
        secure=secure,
        multiplier=ZEROING_MULTIPLIER,
        increment=ZEROING_INCREMENT,
    )
    return _A.zeroing_factory(norm, inner, zeroed_count_sum_factory=_count(secure))
