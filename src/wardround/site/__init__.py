"""A hospital's side: it joins a run, and in each round checks what it is asked, trains, and publishes.

    plans (approve, fetch, check) ─→ join ─→ ┌ choose ─→ check ─→ train ─→ publish ┐ ─→ final
                                             └─────────────────────────────────────┘

One process for all rounds; the graphs and the data stay in memory. What leaves is `join.json`,
`present.json`, and the update that the approved plan describes.
"""
