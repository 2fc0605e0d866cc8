"""One command each: `python -m benchmarks.NAME`. The last line is one JSON object with "ratio" and "goal"."""
