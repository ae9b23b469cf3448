// The recipes and the bounds of their fields, read from the service's OpenAPI document.

import { json } from "./api.js";

let schemas = null;

/** Return the OpenAPI schemas of the training call. */
async function loadSchemas() {
  schemas ??= (await json("openapi.json")).components.schemas;
  return schemas;
}

/** Return {recipe name: {field: value}}. */
export async function presets() {
  return (await loadSchemas()).TrainRequest.properties.recipe["x-presets"];
}

/** Return {name: {options, chosen}} of the choices `recipe` and `promote`. */
export async function choices() {
  const { recipe, promote } = (await loadSchemas()).TrainRequest.properties;
  return { recipe: { options: recipe.enum, chosen: recipe.default }, promote: { options: promote.enum, chosen: promote.default } };
}

/** Return {min, max, isWhole, isAbove, description} of a recipe's field; `isAbove`: the value must be greater than min. */
export async function field(name) {
  const { anyOf, description } = (await loadSchemas()).Overrides.properties[name];
  const { minimum, exclusiveMinimum, maximum, type } = anyOf.find((kind) => kind.type !== "null");
  const isAbove = exclusiveMinimum !== undefined;
  return { min: minimum ?? exclusiveMinimum, max: maximum, isWhole: type === "integer", isAbove, description };
}

/** Return the fields in which a run's recipe differs from the preset it started from: [[name, value], ...]. */
export async function changes(recipe) {
  const preset = (await presets())[recipe.name] ?? {};
  return Object.entries(recipe).filter(([name, value]) => name in preset && preset[name] !== value);
}
