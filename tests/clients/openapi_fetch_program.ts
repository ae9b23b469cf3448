// Calls a server through openapi-fetch, typed by openapi-typescript: URL KEY FOLDER. Prints what came as JSON.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const [url = "", key = "", folder = ""] = process.argv.slice(2);
const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl: url });
const authorized = { headers: { Authorization: `Bearer ${key}` } };

function found<T>(result: { data?: T; error?: unknown }): T {
  if (result.data === undefined) throw new Error(JSON.stringify(result.error));
  return result.data;
}

const pictures = [...Array(10).keys()].map((digit) => new Blob([readFileSync(`${folder}/${digit}.png`)], { type: "image/png" }));
const form = new FormData();
pictures.forEach((picture) => form.append("file", picture, "digit.png"));
const images: { images: unknown[] } = JSON.parse(readFileSync(`${folder}/images.json`, "utf8"));

const byForm = found(await client.POST("/predict", { body: { file: [] }, bodySerializer: () => form }));
const byPng = found(
  await client.POST("/predict", {
    params: { query: { fit: "mnist" } },
    body: "",
    bodySerializer: () => pictures[7],
    headers: { "Content-Type": "image/png" },
  }),
);
const byJson = found(await client.POST("/predict", { body: images }));
const wrong = await client.POST("/predict", { body: { images: [[1, 2, 3]] } });

const refused = await client.POST("/train", { body: {} });
const run = found(await client.POST("/train", { ...authorized, body: { recipe: "tutorial", overrides: { seed: 5 }, promote: "never" } }));
const runs = found(await client.GET("/train", { params: { query: { limit: 1 } } }));
const cancelled = found(await client.DELETE("/train/{run_id}", { ...authorized, params: { path: { run_id: run.id } } }));
const metrics = found(await client.GET("/metrics"));
const versions = found(await client.GET("/versions"));

console.log(
  JSON.stringify({
    form: byForm.predictions.map((prediction) => prediction.digit),
    png: byPng.predictions.map((prediction) => [prediction.digit, prediction.normalized?.is_untouched]),
    json: byJson.predictions.map((prediction) => prediction.probabilities),
    wrong: wrong.error?.title,
    refused: [refused.response.status, refused.error?.title],
    run: [run.state, run.recipe.seed, run.waits_for !== null],
    runs: runs.items.map((item) => item.id - run.id),
    cancelled: cancelled.state,
    accuracy: metrics.accuracy,
    versions: versions.items.map((version) => [version.version, version.origin]),
  }),
);
