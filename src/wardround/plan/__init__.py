"""The compiled recipe: plain TensorFlow graphs, their bindings and a manifest, named by a digest."""
