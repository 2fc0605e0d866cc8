"""From the slices of a series to one volume on the recipe's grid.

    headers ─ slices ─ grouping ─ layout ┄┄┄┄ grid ─ resampling ─ intensity
              (frames of enhanced objects)      └── reading ──┘

Left of the dotted line no pixels are read: which slices make the volume, and whether they do, is known from
headers alone. Coordinates are the patient's (PS3.3 C.7.6.2): x to the left, y to the back, z to the head, in mm.
"""
