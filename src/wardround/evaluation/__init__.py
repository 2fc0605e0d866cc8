"""What the numbers mean: histograms of scores become clinical metrics, intervals, tables and pages.

    scores or histograms ─→ histograms ─→ metrics, curves ─→ kubeflow (payloads), page (HTML)
                        └─→ intervals  ─→ report          ─→ tables (terminal), page (HTML)

`histograms`, `curves` and `kubeflow` need NumPy only, so a hospital's image can hold them without
scikit-learn and matplotlib.
"""
