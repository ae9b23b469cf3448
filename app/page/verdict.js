// The verdict on an answer: sure; one digit or another; or no digit at all.

import { probability, t } from "./language.js";

const PAIR = /^the strokes may be two digits side by side/;
const SURE = 0.9; // the probabilities are calibrated: of the answers below it, more than one in ten is wrong

/** Return {kind, text} of a prediction: kind is "sure", "unsure" or "none".
 *
 * Half a drawing often looks like no digit, so only a finished one may be called none. */
export function verdictOn({ probabilities, confidence, is_digit }, classes, isFinal) {
  if (isFinal && is_digit === false) return { kind: "none", text: t("verdict.none") };
  const [best, second] = probabilities.map((p, digit) => ({ p, name: classes[digit] })).sort((a, b) => b.p - a.p);
  if (confidence >= SURE) return { kind: "sure", text: t("sure", { p: probability(best.p) }) };
  const values = { digit: best.name, other: second.name, p: probability(best.p), q: probability(second.p) };
  return { kind: "unsure", text: t("verdict.unsure", values) };
}

/** The warnings of fit=mnist that are known by their words, and the keys of their texts. */
export const WARNINGS = [
  [/^a border around the picture was removed$/, "warning.border"],
  [/^a printed box was removed$/, "warning.box"],
  [/^small text or icons beside the digit were left out$/, "warning.captions"],
  [PAIR, "warning.pair"],
  [/^the digit is only (?<size>\d+x\d+) pixels/, "warning.small"],
  [/^the contrast is (?<levels>\d+) of 255/, "warning.contrast"],
  [/^stripes were removed$/, "warning.stripes"],
];

/** Return whether a warning says that there may be two digits. */
export function isPair(warning) {
  return PAIR.test(warning);
}

/** Return a warning in the language of the page; in the server's words if it is not known. */
export function warningText(warning) {
  for (const [words, key] of WARNINGS) {
    const found = words.exec(warning);
    if (found) return t(key, found.groups);
  }
  return `${warning[0].toUpperCase()}${warning.slice(1)}.`;
}
