"""Recipe → TFF → plan. The only importer of tensorflow_federated; runs in an environment of its own.

`python -m wardround.compiler REQUEST.json --out FOLDER` reads a resolved recipe (no defaults are left to
this side) and writes `draft.json` and `graphs/*.pb`. The caller turns the draft into a plan.

        recipe ─► process.py ─► LearningProcess ─┐
           │         ▲   ▲                       └─► forms.py ─► MapReduceForm ─► serialize.py ─► graphs
           └► model.py   aggregation.py
                └──────► inference.py (predict)
"""
