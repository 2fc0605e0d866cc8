"""De-identification of DICOM objects to PS3.15 Annex E: headers, not pixels.

options (YAML) + key ─ rules ─┐
dataset ──────── deidentify ──┴─ new dataset, account
"""
