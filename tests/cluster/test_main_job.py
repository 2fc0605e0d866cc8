"""The main job on the cluster: three hospitals and a coordinator, from a recipe to a model that predicts."""
