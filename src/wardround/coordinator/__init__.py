"""The coordinator: opens rounds, collects what the sites send, adds it up, and says what came of it.

    open ─→ members ─→ ┌ rounds ─→ collect ─→ decide ─→ aggregate ─→ close ┐ ─→ final
                       └──────────────── history (from the bucket) ────────┘
                                            └─→ register (beside the rounds)

Every step is a function of what lies in the buckets, and writes its result there once, so a coordinator
that was killed starts again and goes on with the same numbers.
"""
