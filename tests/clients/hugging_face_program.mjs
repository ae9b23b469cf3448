// Reads digits through @huggingface/inference: URL FOLDER COUNT. Prints the scores of each digit's labels as JSON.
import { readFileSync } from "node:fs";
import { InferenceClient } from "@huggingface/inference";

const [url, folder, count] = process.argv.slice(2);
const client = new InferenceClient("", { endpointUrl: `${url}/predict?as=labels` });
const found = [];
for (let number = 0; number < Number(count); number++) {
  const data = new Blob([readFileSync(`${folder}/${number}.png`)], { type: "image/png" });
  found.push(await client.imageClassification({ data }));
}
console.log(JSON.stringify(found));
