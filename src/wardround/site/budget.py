"""What training may reveal of a hospital's patients: the budget of differential privacy that its data steward sets."""

from wardround.recipe import Privacy
from wardround.site.settings import SiteSettings

OVER_BUDGET = "over-budget"


def why_over_budget(settings: SiteSettings, privacy: Privacy) -> str | None:
    """Why a plan with this privacy does not fit the hospital's budget, or None if there is no budget.

    Training without differential privacy has no epsilon, however large (Dwork and Roth 2014, definition 2.4): no
    budget allows it. No other kind is accounted for yet, so none fits.
    """
    budget = settings.privacy_budget
    if budget is None:
        return None
    return (
        f"trains with privacy {privacy.kind!r}, which has no epsilon, and this hospital's budget is "
        f"epsilon {budget.epsilon:g} at delta {budget.delta:g}"
    )
