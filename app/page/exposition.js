// A parser for Prometheus text, the answer of GET /metrics?format=prometheus.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Return the samples: [{name, labels, value}, ...]. */
export function parse(text) {
  return text.split("\n").flatMap((line) => {
    const found = line.startsWith("#") ? null : LINE.exec(line);
    if (!found) return [];
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]));
    return [{ name: found[1], labels, value: Number(found[3].replace("+Inf", "Infinity")) }];
  });
}

/** Return the sum of a series over all samples whose labels match. */
export function sum(samples, name, matches = () => true) {
  return samples.filter((sample) => sample.name === name && matches(sample.labels)).reduce((total, { value }) => total + value, 0);
}

/** Return the buckets of a histogram, over all samples whose labels match: upper bound -> observations up to it. */
export function bucketsOf(samples, name, matches) {
  const buckets = new Map();
  for (const sample of samples) {
    if (sample.name !== `${name}_bucket` || !matches(sample.labels)) continue;
    const bound = Number(sample.labels.le.replace("+Inf", "Infinity"));
    buckets.set(bound, (buckets.get(bound) ?? 0) + sample.value);
  }
  return buckets;
}

/** Return the quantile `share` (0 to 1) of a histogram, interpolated within its bucket; null if there are no observations. */
export function quantile(samples, name, share, matches) {
  return quantileOf(bucketsOf(samples, name, matches), share);
}

/** Return the quantile of buckets, as `quantile` does. */
export function quantileOf(buckets, share) {
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const wanted = share * (buckets.get(Infinity) ?? 0);
  if (!wanted) return null;
  const at = bounds.findIndex((bound) => buckets.get(bound) >= wanted);
  const [low, high] = [bounds[at - 1] ?? 0, bounds[at]];
  const below = buckets.get(low) ?? 0;
  return high === Infinity ? low : low + ((high - low) * (wanted - below)) / (buckets.get(high) - below);
}
