// Calls a server through the functions that orval made: URL KEY FOLDER. Prints what came as JSON.
import { readFileSync } from "node:fs";
import { cancelRun, getMetrics, listRuns, listVersions, predictWithFormData, predictWithJson, predictWithPng, startRun } from "./orval.js";

const [url = "", key = "", folder = ""] = process.argv.slice(2);
const authorized = { headers: { Authorization: `Bearer ${key}` } };
const send = globalThis.fetch;
globalThis.fetch = (path, init) => send(new URL(String(path), url), init); // the document's server is relative

function expect<Answer extends { status: number }, Status extends Answer["status"]>(
  answer: Answer,
  status: Status,
): Extract<Answer, { status: Status }> {
  if (answer.status !== status) throw new Error(JSON.stringify(answer));
  return answer as Extract<Answer, { status: Status }>;
}

/** Some calls also answer in text, if they are asked to. */
function json<Data>(data: Data): Exclude<Data, string> {
  if (typeof data === "string") throw new Error(data);
  return data as Exclude<Data, string>;
}

const pictures = [...Array(10).keys()].map((digit) => new Blob([readFileSync(`${folder}/${digit}.png`)], { type: "image/png" }));
const images: { images: unknown[] } = JSON.parse(readFileSync(`${folder}/images.json`, "utf8"));

const byForm = json(expect(await predictWithFormData({ file: pictures }), 200).data);
const byPng = json(expect(await predictWithPng(pictures[7]!, { fit: "mnist" }), 200).data);
const byJson = json(expect(await predictWithJson(images), 200).data);
const wrong = expect(await predictWithJson({ images: [[1, 2, 3]] }), 422).data;

const refused = expect(await startRun({}), 401);
const run = expect(await startRun({ recipe: "tutorial", overrides: { seed: 5 }, promote: "never" }, authorized), 202).data;
const runs = expect(await listRuns({ limit: 1 }), 200).data;
const cancelled = expect(await cancelRun(run.id, authorized), 200).data;
const metrics = json(expect(await getMetrics(), 200).data);
const versions = expect(await listVersions(), 200).data;

console.log(
  JSON.stringify({
    form: byForm.predictions.map((prediction) => prediction.digit),
    png: byPng.predictions.map((prediction) => [prediction.digit, prediction.normalized?.is_untouched]),
    json: byJson.predictions.map((prediction) => prediction.probabilities),
    wrong: wrong.title,
    refused: [refused.status, refused.data.title],
    run: [run.state, run.recipe.seed, run.waits_for !== null],
    runs: runs.items.map((item) => item.id - run.id),
    cancelled: cancelled.state,
    accuracy: metrics.accuracy,
    versions: versions.items.map((version) => [version.version, version.origin]),
  }),
);
