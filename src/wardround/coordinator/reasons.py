"""Why a round made no model, in a sentence for people."""

from collections import Counter

from wardround.exchange.messages import OutcomeMessage


def why_failed(outcome: OutcomeMessage, quorum: int) -> str:
    """The reason of a failed round, with who is needed and the codes of those who were refused; "" of another one."""
    if outcome.status != "failed":
        return ""
    if len(outcome.accepted) >= quorum:
        return "nobody who answered has an image to train on"
    refused = Counter(refusal.code for refusal in outcome.refused)
    codes = ", ".join(f"{count} {code}" for code, count in sorted(refused.items()))
    counts = [f"{len(outcome.accepted)} of the {quorum} that are needed could be counted"]
    counts += [f"refused: {codes}"] if codes else []
    counts += [f"{len(outcome.missing)} did not answer"] if outcome.missing else []
    return "; ".join(counts)
