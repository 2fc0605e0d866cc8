"""What a hospital can know of its own data before anything is trained: counts, pictures, histograms, remarks.

headers ─ facts ─ collect ─ statistics.json ─┬─ page, console        (the hospital's own)
shards  ─ pictures ──────────────────────────┤
                               suppression ──┴─ page_outside         (may leave)
"""
