// One function for each Content-Type of a request: orval's one function for all of them sends a form as "[object Object]".
export default {
  inkling: {
    input: "./openapi.json",
    output: { target: "./orval.ts", client: "fetch", override: { splitByContentType: true } },
  },
};
