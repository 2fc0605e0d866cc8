"""The data scientist's YAML: its schema, its defaults (the only place that has them) and its reader."""

from wardround.recipe.reader import load_recipe, parse_recipe
from wardround.recipe.schema import Privacy, Recipe
from wardround.recipe.template import RECIPE_TEMPLATE

__all__ = ["RECIPE_TEMPLATE", "Privacy", "Recipe", "load_recipe", "parse_recipe"]
