// The two languages: taken from the browser's settings, switched by the reader, and kept in localStorage.

import { english } from "./english.js";
import { chinese } from "./chinese.js";

const KEY = "inkling-language";
const TEXTS = { en: english, zh: chinese };

let language = localStorage.getItem(KEY) ?? (navigator.languages.find((tag) => /^(en|zh)\b/.test(tag)) ?? "en").slice(0, 2);
if (!(language in TEXTS)) language = "en";

export function current() {
  return language;
}

export function choose(other) {
  language = other;
  localStorage.setItem(KEY, other);
}

/** Return the text of a key, with {names} replaced by values. */
export function t(key, values = {}) {
  const text = TEXTS[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Return sentences one after the other. */
export function sentences(...each) {
  return each.filter(Boolean).join(language === "zh" ? "" : " ");
}

/** Return whether there is a text of this key. */
export function has(key) {
  return key in TEXTS[language];
}

function locale() {
  return language === "zh" ? "zh-CN" : "en-GB"; // en-GB: 24 hours, and the month as a word
}

export function number(value, digits = 0) {
  return value.toLocaleString(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Return a share, 0 to 1, as a percentage. */
export function percent(value, digits = 2) {
  return `${number(100 * value, digits)} %`;
}

/** Return a probability as a percentage with one digit; rounding never turns it into 0 % or 100 %. */
export function probability(value) {
  if (value > 0.9995 && value < 1) return `> ${number(99.9, 1)} %`;
  if (value > 0 && value < 0.0005) return `< ${number(0.1, 1)} %`;
  return percent(value, 1);
}

export function moment(iso) {
  return new Date(iso).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });
}

/** Return a duration in suitable units: 45 s, 12 min, 1 h 5 min. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return t("seconds", { n: whole });
  const minutes = Math.round(whole / 60);
  if (minutes < 90) return t("minutes", { n: minutes });
  return t("hours", { n: Math.floor(minutes / 60), m: minutes % 60 });
}
