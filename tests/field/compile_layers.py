"""Runs in the compiler's environment: `python compile_layers.py RECIPES.json OUT`.

Compiles each recipe into OUT/<name>/ (draft.json, graphs), or leaves OUT/<name>.error with the compiler's sentence.
OUT/layers.json then lists Keras's layers: class → its names.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from wardround.compiler.draft import compile_draft
from wardround.compiler.failure import CompilerFailure


def main() -> None:
    """Work through all recipes in one warm process."""
    recipes, out = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    for name, recipe in recipes.items():
        (out / name).mkdir(parents=True)
        try:
            draft = compile_draft(recipe, pathlib.Path(__file__).parent, out / name, lambda _: None)
        except CompilerFailure as failure:
            (out / f"{name}.error").write_text(str(failure))
        else:
            (out / name / "draft.json").write_text(json.dumps(draft))
    names = [name for name in dir(tf.keras.layers) if isinstance(getattr(tf.keras.layers, name), type)]
    classes: dict[str, list[str]] = {}
    for name in names:
        classes.setdefault(getattr(tf.keras.layers, name).__name__, []).append(name)
    (out / "layers.json").write_text(json.dumps(classes))


if __name__ == "__main__":
    main()
